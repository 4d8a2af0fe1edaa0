"""What each way to tune a trunk costs where every row is of another task."""

from tests.bench.pictures.record import Record, sentence, source
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import around
from trainer.page.svg import Drawing

_OURS = ("prompts", "prompts and biases")


def per_row(record: Record) -> Drawing:
    """Return throughput over the plain trunk's, the median between its quartiles."""
    others = [row for row in record["rows"] if row["candidate"] not in _OURS]
    best = max(row["over_plain"] for row in others if row["candidate"].startswith("LoRA"))
    caption = Caption(
        f"LoRA by row has at most {best:.2f} of the plain trunk's throughput",
        "processor time of the plain trunk over that of a way; whiskers are quartiles",
        [sentence(record["notes"][0]), source(record)],
    )
    shown = [row for row in record["rows"] if row["candidate"] != "plain"]
    ends = [row[end] for row in shown for end in ("low", "high")]
    return draw_dots(DotChart(caption, [_row(row) for row in shown], around([*ends, 1.0])))


def _row(row: Record) -> Row:
    kind = "ours" if row["candidate"] in _OURS else "reference"
    middle = row["over_plain"]
    dot = Dot(middle, (row["low"], row["high"]), kind, f"{middle:.2f}")
    return Row(f"{row['candidate']}, {row['model']}", [[dot]], kind == "reference")
