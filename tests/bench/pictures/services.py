"""Requests a second of every service in front of the same model."""

from tests.bench.pictures.record import Record, Row, sentence, source
from trainer.page.dots import Dot, DotChart, draw_dots
from trainer.page.dots import Row as Line
from trainer.page.frame import Caption
from trainer.page.scale import around
from trainer.page.svg import Drawing

_NAMES = {
    "asgi": "ours, ASGI",
    "torchserve": "ours, TorchServe",
    "litserve": "LitServe",
    "mosec": "mosec",
    "torchserve_stock": "TorchServe, stock handler",
}
_OURS = ("asgi", "torchserve")


def services(record: Record) -> Drawing:
    """Return requests a second, a row per service; what the fronts cost stands beside."""
    rows = [row for row in record["rows"] if row["what"] == "throughput"]
    ends = [end for row in rows for end in (row["low"], row["high"])]
    caption = Caption(
        _title(record),
        "requests a second, all services in turns; whiskers are quartiles over rounds",
        [sentence(record["notes"][0]), sentence(record["notes"][1]), source(record)],
    )
    lines = [Line(_NAMES[row["service"]], [[_dot(row, record)]], _is_peer(row)) for row in rows]
    return draw_dots(DotChart(caption, lines, around([*ends, 0.0], floor=0.0)))


def _title(record: Record) -> str:
    over = record["ratios"]["best_over_best_service"]
    if over is None:
        return "What the services answer"
    return f"Ours answers {over:.2f} times the requests of the best other service"


def _dot(row: Row, record: Record) -> Dot:
    cost = record["ratios"][f"front_cpu_ms_of_{row['service']}"]
    told = "" if cost is None else f", front {cost:.1f} ms"
    kind = "reference" if _is_peer(row) else "ours"
    value = row["requests_per_s"]
    return Dot(value, (row["low"], row["high"]), kind, f"{value:.0f}{told}")


def _is_peer(row: Row) -> bool:
    return row["service"] not in _OURS
