"""How fast JPEG files become pixels, and whether they become the same."""

from tests.bench.pictures.record import Record, by, sentence, source
from tests.bench.pictures.record import Row as Measured
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import around
from trainer.page.svg import Drawing

_OURS = "ours"
_PILLOW = "Pillow"


def decode(record: Record) -> Drawing:
    """Return images a second by stage and threads: our decoder in colour, others grey."""
    rows = [
        Row(f"{_where(group[0])}: {row['decoder']}", [[_dot(row)]], row["decoder"] != _OURS)
        for group in by(record["rows"], "stage", "threads").values()
        for row in group
    ]
    most = max(row["images_per_s"] for row in record["rows"])
    skipped = [sentence(note) for note in record["notes"] if "not installed" in note]
    caption = Caption(
        _title(record["rows"]),
        "images a second, and the largest difference of any pixel from Pillow's",
        [sentence(record["notes"][0]), " ".join(skipped), source(record)],
    )
    return draw_dots(DotChart(caption, rows, around([most], floor=0.0)))


def _title(rows: list[Measured]) -> str:
    others = [r for r in rows if (r["threads"], r["stage"]) == (1, "to pixels")
              and r["decoder"] != _PILLOW]  # fmt: skip
    if not others:
        return f"{_PILLOW} decodes; nothing else is installed"
    best = max(others, key=lambda row: row["over_pillow"])
    off = best["max_difference"]
    pixels = f"but its pixels are off by up to {off}" if off else "and its pixels are the same"
    return f"{best['decoder']} is {best['over_pillow']:.1f} times as fast as {_PILLOW}, {pixels}"


def _where(row: Measured) -> str:
    threads = row["threads"]
    return f"{row['stage']}, {threads} thread{'s' if threads > 1 else ''}"


def _dot(row: Measured) -> Dot:
    off = row["max_difference"]
    text = f"{row['images_per_s']:,.0f}" + (f", off by {off}" if off else "")
    return Dot(row["images_per_s"], None, "ours" if row["decoder"] == _OURS else "reference", text)
