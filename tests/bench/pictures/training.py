"""A training step with prompts as keys and values over one with prompts as tokens."""

from tests.bench.pictures.record import Record, model_name, sentence, source
from tests.bench.pictures.record import Row as Measured
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import around
from trainer.page.svg import Drawing


def training(record: Record) -> Drawing:
    """Return the time of a step over the token form's, a row per backbone and precision."""
    shown = [row for row in record["rows"] if row["form"] != "tokens"]
    dots = [_dot(row, record) for row in shown]
    rows = [
        Row(f"{model_name(row['backbone'])}, {row['precision']}", [[dot]])
        for row, dot in zip(shown, dots, strict=True)
    ]
    ends = [end for dot in dots for end in dot.ends]
    caption = Caption(
        _title(shown),
        "time over that of the token form; less is better, whiskers are quartiles over rounds",
        [sentence(record["notes"][0]), source(record)],
    )
    scale = around([*ends, 1.0], floor=0.0)
    return draw_dots(DotChart(caption, rows, scale, base=(1.0, "prompts as tokens")))


def _title(rows: list[Measured]) -> str:
    told = ", ".join(f"{row['time_over_tokens']:.2f} in {row['precision']}" for row in rows)
    is_longer = [row["time_over_tokens"] > 1 for row in rows]
    what = "longer" if all(is_longer) else "shorter" if not any(is_longer) else "not always shorter"
    return f"A training step with prompts as keys and values is {what} than with tokens: {told}"


def _dot(row: Measured, record: Record) -> Dot:
    value = row["time_over_tokens"]
    spread = record["spreads"].get(f"{row['backbone']}_{row['precision']}_time_over_tokens")
    text = f"{value:.2f}  ({row['ms_per_image']:,.3g} ms an image)"
    return Dot(value, None if spread is None else (spread[0], spread[1]), text=text)
