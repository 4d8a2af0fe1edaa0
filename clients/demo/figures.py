"""What the report shows of the data: gains, sample images, curves, waits, the swap over time.

Every title says what its numbers say, and is made from them.
"""

import base64
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from clients.demo.records import Record, tasks_per_batch
from clients.demo.scenario import Runs
from clients.demo.summary import Served, Swap
from clients.demo.trained import Metrics, Prediction, Trained
from trainer.page.bars import draw_counts, draw_histogram
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import SMALL, Caption
from trainer.page.lines import Line, LineChart, Panel, draw_lines
from trainer.page.scale import around
from trainer.page.svg import Drawing
from trainer.page.timeline import Answers, draw_timeline
from trainer.page.words import brief, level, milliseconds, percent, short, signed

_NUM_SAMPLES: Final = 8
_NUM_MISTAKES: Final = 4
_CURVE: Final = (SMALL, 120.0)
_Z95: Final = 1.96


@dataclass(frozen=True)
class Tile:
    """A test image and what the model says of it; `uri` holds the whole file."""

    uri: str
    predicted: str
    label: str
    score: float
    is_right: bool


@dataclass(frozen=True)
class Gain:
    """How many points of accuracy prompts add to a linear probe, on the same test images.

    Attributes:
        points: of a hundred.
        slack: half of its 95% interval.
    """

    points: float
    slack: float


def gain_of(linear: Trained, prompts: Trained) -> Gain:
    """Return the paired difference: only images that one names right and the other wrong count."""
    was_right = {p.image: p.is_right for p in linear.predictions}
    pairs = [(was_right.get(p.image, False), p.is_right) for p in prompts.predictions]
    won, lost = pairs.count((False, True)), pairs.count((True, False))
    spread = max(0.0, won + lost - (won - lost) ** 2 / len(pairs))
    return Gain(100 * (won - lost) / len(pairs), 100 * _Z95 * sqrt(spread) / len(pairs))


def gains(runs: Runs) -> Drawing:
    """Return what prompts add to a linear probe, task by task."""
    found = {task: gain_of(run["linear"], run["spt-deep"]) for task, run in runs.items()}
    ends = [g.points + sign * g.slack for g in found.values() for sign in (-1, 1)]
    title = _gains_title(found)
    rows = [_gain_row(task, found[task], runs[task]["linear"].metrics.test_accuracy,
                      runs[task]["spt-deep"].metrics.test_accuracy) for task in found]  # fmt: skip
    caption = Caption(
        title,
        "points of test accuracy; whiskers are 95% intervals over the same test images",
        description=f"{title}: "
        + ", ".join(f"{task} {signed(gain.points)} points" for task, gain in found.items()),
    )
    return draw_dots(
        DotChart(
            caption, rows, around(ends, floor=0.0), base=(0.0, "linear probe"), write=signed_tick
        )
    )


def signed_tick(value: float) -> str:
    """Return a difference on an axis."""
    return signed(value, 0) if value % 1 == 0 else signed(value)


def _gains_title(found: Mapping[str, Gain]) -> str:
    sure = [task for task, gain in found.items() if gain.points > gain.slack]
    best = max(found, key=lambda task: found[task].points)
    told = f"{signed(found[best].points)} points on {best}"
    return f"Prompts beat a linear probe on {len(sure)} of {len(found)} tasks; at best {told}"


def _gain_row(task: str, gain: Gain, before: float, after: float) -> Row:
    spread = (gain.points - gain.slack, gain.points + gain.slack)
    words = f"{percent(before)} → {percent(after)}  ({signed(gain.points)})"
    return Row(task, [[Dot(gain.points, spread, text=words)]])


def samples(trained: Trained) -> list[Tile]:
    """Return test images at even distances, as they come."""
    return _tiles(trained, _spread(trained.predictions, _NUM_SAMPLES))


def mistakes(trained: Trained) -> list[Tile]:
    """Return some of the test images that the model gets wrong, at even distances."""
    wrong = [prediction for prediction in trained.predictions if not prediction.is_right]
    return _tiles(trained, _spread(wrong, _NUM_MISTAKES))


def loss_curve(task: str, metrics: Metrics) -> Drawing:
    """Return the training loss over the epochs."""
    title = f"Training loss falls from {brief(metrics.losses[0])} to {brief(metrics.losses[-1])}"
    if metrics.losses[-1] > metrics.losses[0]:
        title = title.replace("falls", "rises")
    line = Line("", list(enumerate(metrics.losses, start=1)))
    caption = Caption(title, description=f"{task}: {title}")
    y = around(metrics.losses, floor=0.0)
    return draw_lines(LineChart(caption, [Panel([line])], "epoch", y=y, size=_CURVE))


def accuracy_curve(task: str, prompts: Metrics, linear: Metrics) -> Drawing:
    """Return the validation accuracy over the epochs, and the finished linear probe's."""
    reached, probe = percent(prompts.val_accuracies[-1]), percent(linear.val_accuracy)
    title = f"Validation accuracy ends at {reached}, the linear probe's at {probe}"
    line = Line("prompts", list(enumerate(prompts.val_accuracies, start=1)))
    caption = Caption(title, description=f"{task}: {title}")
    panel = Panel([line], level=(linear.val_accuracy, "linear probe"))
    return draw_lines(LineChart(caption, [panel], "epoch", level, size=_CURVE))


def latencies(records: Sequence[Record], served: Served) -> Drawing:
    """Return how long callers waited."""
    waited = [r.outcome.latency_s * 1e3 for r in records if r.outcome.error is None]
    named = (("p50", served.p50_ms), ("p99", served.p99_ms))
    marks = [(ms, f"{name} {milliseconds(ms)}") for name, ms in named if ms is not None]
    title = f"Half of the callers wait at most {milliseconds(served.p50_ms)}"
    caption = Caption(title, "requests by how long they waited; the last bar holds all slower ones")
    return draw_histogram(caption, waited, marks, "milliseconds")


def batch_mix(records: Sequence[Record]) -> Drawing:
    """Return how many forwards had rows of how many tasks."""
    found = tasks_per_batch(records)
    counts = {str(tasks): found[tasks] for tasks in range(1, max(found, default=1) + 1)}
    mixed, total = found.total() - found[1], max(1, found.total())
    title = f"{percent(mixed / total, 0)} of the forward passes mix tasks"
    told = ", ".join(f"{tasks}: {number}" for tasks, number in counts.items())
    caption = Caption(
        title,
        "forward passes by the number of tasks in them",
        description=f"Batches by number of tasks: {told}",
    )
    return draw_counts(caption, counts, "tasks in one pass")


def swap_timeline(records: Sequence[Record], swap: Swap) -> Drawing:
    """Return the swap phase, each answer in the colour of the version that gave it."""
    during = [record for record in records if record.phase == "swap" and record.version]
    others = [record for record in during if record.pick.task != swap.task]
    answers = [
        Answers("other tasks", "reference", _points(others)),
        Answers(f"{swap.task} {short(swap.old_version)}, old", "before",
                _points(during, swap.old_version)),
        Answers(f"{swap.task} {short(swap.new_version)}, new", "ours",
                _points(during, swap.new_version)),
    ]  # fmt: skip
    failed = swap.failed_during_swap
    who = f"{failed} requests fail" if failed else "No request fails"
    title = f"{who} while {swap.task} changes its version"
    told = ", ".join(f"{one.name}: {len(one.points)}" for one in answers)
    caption = Caption(
        f"{title}; {_rates(during, swap)}",
        "milliseconds a caller waited, one dot per answer",
        description=f"Requests over time. {told}",
    )
    marks = ((swap.publish_began_s, "publish begins"), (swap.publish_returned_s, "it returns"))
    return draw_timeline(caption, answers, marks)


def _rates(during: Sequence[Record], swap: Swap) -> str:
    """Say how many answers came a second, before the command began and until it returned."""
    first = min((record.done_s for record in during), default=0.0)
    spans = (first, swap.publish_began_s), (swap.publish_began_s, swap.publish_returned_s)
    before, meanwhile = (
        sum(start <= record.done_s < end for record in during) / max(end - start, 1e-9)
        for start, end in spans
    )
    return f"{before:.0f} answers a second before, {meanwhile:.0f} while it is published"


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
