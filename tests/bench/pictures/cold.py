"""A task's first request against a warm one, and what its neighbours notice."""

from tests.bench.pictures.record import Record, source
from tests.bench.pictures.record import Row as Measured
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import around
from trainer.page.svg import Drawing

_NAMES = {
    "one row, warm": "one row, warm",
    "one row, its task's first": "one row, its task's first",
    "batch, all warm": "a batch, all warm",
    "batch, a cold row": "a batch with a cold row",
    "batch, loads beside": "a batch while others load",
}


def cold(record: Record) -> Drawing:
    """Return median and 99th percentile of every wait, warm in grey."""
    rows = [row for row in record["rows"] if row["measure"] in _NAMES]
    most = max(row["p99_ms"] for row in rows)
    caption = Caption(
        _title(record),
        "milliseconds until the answer; warm in grey, cold in colour",
        [_churn(record), source(record)],
    )
    chart = DotChart(
        caption,
        [Row(_NAMES[row["measure"]], _cells(row), _is_warm(row)) for row in rows],
        around([most], floor=0.0),
        ("median", "99th percentile"),
    )
    return draw_dots(chart)


def _title(record: Record) -> str:
    added, ratio = record["ratios"]["added_ms_median"], record["ratios"]["warm_p99_ratio"]
    return (
        f"A task's first request waits {added:.1f} ms longer; "
        f"the rows next to it, {ratio:.2f} of the usual 99th percentile"
    )


def _cells(row: Measured) -> list[list[Dot]]:
    kind = "reference" if _is_warm(row) else "ours"
    return [[Dot(row[key], None, kind, f"{row[key]:.1f} ms")] for key in ("median_ms", "p99_ms")]


def _is_warm(row: Measured) -> bool:
    return "warm" in row["measure"]


def _churn(record: Record) -> str:
    row = next(row for row in record["rows"] if row["measure"] not in _NAMES)
    growth = record["ratios"]["rss_growth"]
    return (
        f"{row['count']:,} loads that each evict another adapter of a tiny backbone: "
        f"{row['median_ms']:.2f} ms each, memory grows by {growth:.2%}."
    )
