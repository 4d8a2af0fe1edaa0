"""K-means of all patch tokens against the pass that makes them."""

from statistics import median

from tests.bench.pictures.record import Record, sentence, source
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.palette import Kind
from trainer.page.scale import around
from trainer.page.svg import Drawing

_FORWARD = ("forward pass", "forward_s", "reference")
_KMEANS = ("k-means of its tokens", "clustering_s", "ours")


def kmeans(record: Record) -> Drawing:
    """Return seconds of both, the median of all rounds between the least and the most."""
    rows = [_row(record, *which) for which in (_FORWARD, _KMEANS)]
    ratios = record["ratios"]
    worst = max(value for name, value in ratios.items() if name.startswith("inertia"))
    caption = Caption(
        "K-means of every patch token of every layer takes "
        f"{ratios['clustering_over_forward']:.2f} of the time of the forward pass",
        f"seconds; median of {len(record['rows'])} rounds, whiskers from the least to the most",
        [
            sentence(record["notes"][0]),
            f"Inertia over scikit-learn's at most {worst:.3f}. {source(record)}",
        ],
    )
    most = max(row["forward_s"] for row in record["rows"])
    return draw_dots(DotChart(caption, rows, around([most], floor=0.0)))


def _row(record: Record, name: str, key: str, kind: Kind) -> Row:
    seconds = [row[key] for row in record["rows"]]
    middle = median(seconds)
    dot = Dot(middle, (min(seconds), max(seconds)), kind, f"{middle:.1f} s")
    return Row(name, [[dot]], kind == "reference")
