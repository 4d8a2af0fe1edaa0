"""Throughput as tasks are added."""

from tests.bench.pictures.record import Record, by, sentence, source
from trainer.page.frame import WIDE, Caption
from trainer.page.lines import Line, LineChart, Panel, draw_lines
from trainer.page.scale import Scale
from trainer.page.svg import Drawing
from trainer.page.words import count

_NAMES = {
    "uniform": "any task as likely",
    "zipf": "few tasks popular",
    "distinct": "every row another",
}
_OPACITIES = (1.0, 0.6, 0.35)


def tasks(record: Record) -> Drawing:
    """Return lines from one task to the most, a line per popularity, from 0 up."""
    groups = by(record["rows"], "popularity")
    lines = [
        Line(
            _NAMES.get(name, name),
            [(row["tasks"], row["over_one_task"]) for row in rows],
            band=[(row["low"], row["high"]) for row in rows],
            opacity=opacity,
        )
        for ((name,), rows), opacity in zip(groups.items(), _OPACITIES, strict=False)
    ]
    first = next(iter(groups.values()))
    speed = f"{first[-1]['images_per_s']:,.1f} images a second."
    caption = Caption(
        _title(first[-1]["tasks"], first[-1]["over_one_task"]),
        "images a second over those of one task; bands are quartiles over rounds",
        [sentence(record["notes"][0]), f"{speed} {source(record)}"],
    )
    most = max(row["high"] for row in record["rows"])
    chart = LineChart(
        caption,
        [Panel(lines)],
        "tasks served by one backbone",
        y=Scale(0, 1.15 * max(1.0, most)),
        x_ticks=[(row["tasks"], count(row["tasks"])) for row in first],
        log_x=True,
        size=(WIDE, 170.0),
    )
    return draw_lines(chart)


def _title(most: int, over_one: float) -> str:
    if over_one >= 0.98:
        return f"{count(most)} tasks are served as fast as one: {over_one:.2f} of its throughput"
    return f"{count(most)} tasks have {over_one:.2f} of the throughput of one"
