"""What the report shows of the data: sample images, curves, distributions, the swap over time."""

import base64
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clients.demo.charts import count_chart, latency_chart, line_chart, timeline
from clients.demo.drawing import Chart, Series
from clients.demo.records import Record, tasks_per_batch
from clients.demo.summary import Served, Swap
from clients.demo.trained import Metrics, Prediction, Trained
from clients.demo.wording import milliseconds, percent, short

_NUM_SAMPLES: Final = 8
_NUM_MISTAKES: Final = 4


@dataclass(frozen=True)
class Tile:
    """A test image and what the model says of it; `uri` holds the whole file."""

    uri: str
    predicted: str
    label: str
    score: float
    is_right: bool


def samples(trained: Trained) -> list[Tile]:
    """Return test images at even distances, as they come."""
    return _tiles(trained, _spread(trained.predictions, _NUM_SAMPLES))


def mistakes(trained: Trained) -> list[Tile]:
    """Return some of the test images that the model gets wrong, at even distances."""
    wrong = [prediction for prediction in trained.predictions if not prediction.is_right]
    return _tiles(trained, _spread(wrong, _NUM_MISTAKES))


def loss_curve(task: str, metrics: Metrics) -> Chart:
    """Return the training loss over the epochs."""
    description = f"{task}: training loss goes from {metrics.losses[0]:.2f}"
    return line_chart(
        Series("new", "training loss", list(enumerate(metrics.losses, start=1))),
        description=f"{description} to {metrics.losses[-1]:.2f}",
        high=max(metrics.losses),
    )


def accuracy_curve(task: str, prompts: Metrics, linear: Metrics) -> Chart:
    """Return the validation accuracy over the epochs, beside the finished linear probe's."""
    reached = percent(prompts.val_accuracies[-1])
    return line_chart(
        Series("new", "validation accuracy", list(enumerate(prompts.val_accuracies, start=1))),
        description=f"{task}: validation accuracy ends at {reached}, "
        f"the linear probe at {percent(linear.val_accuracy)}",
        high=1.0,
        write_y=lambda share: percent(share, 0),
        level=(linear.val_accuracy, "linear probe"),
    )


def latencies(records: Sequence[Record], served: Served) -> Chart:
    """Return how long callers waited."""
    waited = [r.outcome.latency_s * 1e3 for r in records if r.outcome.error is None]
    named = (("p50", served.p50_ms), ("p99", served.p99_ms))
    marks = [(ms, f"{name} {milliseconds(ms)}") for name, ms in named if ms is not None]
    return latency_chart(waited, marks)


def batch_mix(records: Sequence[Record]) -> Chart:
    """Return how many forwards had rows of how many tasks."""
    found = tasks_per_batch(records)
    counts = {str(tasks): found[tasks] for tasks in range(1, max(found, default=1) + 1)}
    return count_chart(
        counts,
        description="Batches by number of tasks: "
        + ", ".join(f"{tasks}: {number}" for tasks, number in counts.items()),
        names=("tasks in one batch", "batches"),
    )


def swap_timeline(records: Sequence[Record], swap: Swap) -> Chart:
    """Return the swap phase, each request in the colour of the version that answered."""
    during = [record for record in records if record.phase == "swap" and record.version]
    others = [record for record in during if record.pick.task != swap.task]
    series = [
        Series("other", "other tasks", _points(others)),
        *(
            Series(kind, f"{swap.task} {short(version)}", _points(during, version))
            for kind, version in (("old", swap.old_version), ("new", swap.new_version))
        ),
    ]
    marks = ((swap.publish_began_s, "publish begins"), (swap.publish_returned_s, "returns"))
    return timeline(series, marks)


def _points(records: Sequence[Record], version: str | None = None) -> list[tuple[float, float]]:
    return [
        (record.done_s, record.outcome.latency_s * 1e3)
        for record in records
        if version in (None, record.version)
    ]


def _spread(predictions: Sequence[Prediction], most: int) -> list[Prediction]:
    count = min(most, len(predictions))
    return [predictions[i * len(predictions) // count] for i in range(count)]


def _tiles(trained: Trained, predictions: Sequence[Prediction]) -> list[Tile]:
    names = trained.metrics.class_names
    return [
        Tile(_data_uri(p), names[p.predicted], names[p.label], p.score, p.is_right)
        for p in predictions
    ]


def _data_uri(prediction: Prediction) -> str:
    kind = mimetypes.guess_type(prediction.image)[0] or "image/png"
    content = base64.b64encode(prediction.image.read_bytes()).decode()
    return f"data:{kind};base64,{content}"
