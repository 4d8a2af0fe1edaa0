"""How long callers wait as more of them come."""

from itertools import pairwise

from tests.bench.pictures.record import Record, Row, source
from trainer.page.frame import Caption
from trainer.page.lines import Line, LineChart, Panel, draw_lines
from trainer.page.scale import around
from trainer.page.svg import Drawing
from trainer.page.words import milliseconds


def http(record: Record) -> Drawing:
    """Return waits against the offered rate; what is answered at most stands in words."""
    rows = [row for row in record["rows"] if row["offered_per_s"] is not None]
    lines = [
        Line(name, [(row["offered_per_s"], row[key]) for row in rows], opacity=opacity)
        for key, name, opacity in (("p50_ms", "p50", 1.0), ("p99_ms", "p99", 0.45))
    ]
    caption = Caption(
        _title(record),
        "milliseconds since a request was due, sent at a constant rate",
        [*_odd(rows), _most(record), _memory(record), source(record)],
    )
    y = around([row["p99_ms"] for row in rows], floor=0.0)
    x_ticks = [(row["offered_per_s"], f"{row['offered_per_s']:.0f}") for row in rows]
    return draw_lines(LineChart(caption, [Panel(lines)], "requests offered a second", y=y,
                                x_ticks=x_ticks))  # fmt: skip


def _title(record: Record) -> str:
    ratios = record["ratios"]
    over = ratios["saturation_over_engine"]
    memory = ratios["memory_over_one_model_per_task"]
    speed = ratios["shared_over_one_model_per_task"]
    return (
        f"HTTP leaves {over:.2f} of the engine's throughput; sharing takes {memory:.2f} of the "
        f"memory of one model per task, at {speed:.2f} of its throughput"
    )


def _odd(rows: list[Row]) -> list[str]:
    """Say where more load went with shorter waits, of which the record knows no cause."""
    return [
        f"p99 at {one['offered_per_s']:.0f} a second ({milliseconds(one['p99_ms'])}) lies above "
        f"that at {two['offered_per_s']:.0f} ({milliseconds(two['p99_ms'])}): the cause was not "
        "recorded."
        for one, two in pairwise(rows)
        if one["p99_ms"] > two["p99_ms"]
    ]


def _most(record: Record) -> str:
    most = [row for row in record["rows"] if row["offered_per_s"] is None]
    told = "; ".join(f"{row['service']}: {row['answered_per_s']:.1f}" for row in most)
    return f"At most answered a second: {told}."


def _memory(record: Record) -> str:
    last = [row for row in record["rows"] if row.get("workers_pss_mb")][-2:]
    told = "; ".join(f"{row['service']}: {row['workers_pss_mb']:,.0f} MB" for row in last)
    return f"Memory of the workers: {told}."
