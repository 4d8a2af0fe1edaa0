"""What a warm task's request waits where very many tasks exist."""

from tests.bench.pictures.record import Record, sentence, source
from tests.bench.pictures.record import Row as Measured
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import around
from trainer.page.svg import Drawing


def lookups(record: Record) -> Drawing:
    """Return the 99th percentile of batches, and what the store and Redis are asked meanwhile."""
    few, many = (row for row in record["rows"] if row["what"] == "batches")
    ratio = next(value for name, value in record["ratios"].items() if "batches" in name)
    caption = Caption(
        f"A batch of warm tasks waits {ratio:.2f} times as long at p99 where very many exist",
        "milliseconds at the 99th percentile; few tasks in grey, very many in colour",
        [sentence(record["notes"][1]), f"{_asked(many)} {source(record)}"],
    )
    rows = [_row(few, is_few=True), _row(many, is_few=False)]
    return draw_dots(DotChart(caption, rows, around([few["p99_ms"], many["p99_ms"]], floor=0.0)))


def _row(row: Measured, *, is_few: bool) -> Row:
    kind = "reference" if is_few else "ours"
    dot = Dot(row["p99_ms"], None, kind, f"{row['p99_ms']:.1f} ms")
    return Row(row["tasks"], [[dot]], is_few)


def _asked(row: Measured) -> str:
    return (
        f"Meanwhile the store is read {row['store_reads_per_s']:.1f} times a second, and Redis "
        f"asked {row['redis_calls_per_s']:.1f} times."
    )
