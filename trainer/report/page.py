"""The report of a run: one HTML file with everything in it.

Decides what is shown; the other modules prepare it, `report.html` lays it out.
"""

from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adapters.artifact.codec import version_of
from trainer.errors import DataError
from trainer.report import curves, wording
from trainer.report.curves import Curve, Series, draw_curve
from trainer.report.heatmap import draw_heatmap
from trainer.report.pictures import worst_mistakes
from trainer.report.record import Metrics, RunRecord, read_record
from trainer.report.repeat import flat_settings, repeat_command
from trainer.report.scores import class_scores, count_pairs, frequent_confusions, wilson_interval

_MAX_CONFUSIONS: Final = 12
_MAX_MISTAKES: Final = 12
_OFFICIAL_PRACTICE: Final = (
    "The test set was scored after each epoch on request, as the official code does. "
    "That code reports the best of these; here they select nothing."
)


def write_report(folder: Path) -> Path:
    """Write `report.html` into a finished run's folder and return its path.

    The same folder gives the same bytes. The page runs no script and asks nothing of the network.

    Raises:
        DataError: recipe, metrics or predictions are missing, malformed or contradict each other,
            or the folder cannot be written.
    """
    path = folder / "report.html"
    page = render(read_record(folder))
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{path}: expected a folder to write to, found none ({error.strerror}); "
            "correct its permissions or copy the run elsewhere"
        ) from error
    return path


def render(record: RunRecord) -> str:
    """Return the report's HTML."""
    metrics, recipe = record.metrics, record.recipe
    counts = count_pairs(record.predictions)
    scores = class_scores(counts, metrics.class_names)
    return _environment().get_template("report.html").render(
        task=recipe.task,
        method=recipe.method,
        metrics=metrics,
        num_right=record.num_right,
        num_tested=len(record.predictions),
        interval=wilson_interval(record.num_right, len(record.predictions)),
        mean_accuracy=fmean(score.accuracy for score in scores),
        scores=scores,
        confusions=frequent_confusions(counts, metrics.class_names, _MAX_CONFUSIONS),
        heatmap=draw_heatmap(counts, metrics.class_names),
        curves=_curves(metrics),
        chart=curves,
        mistakes=worst_mistakes(record, _MAX_MISTAKES),
        epochs=_epochs(metrics),
        artifact=_artifact(record),
        settings=list(flat_settings(recipe.model_dump())),
        command=repeat_command(recipe.model_dump()),
    )  # fmt: skip


def _curves(metrics: Metrics) -> list[Curve]:
    """Return a chart of everything that was measured in each epoch."""
    blocks = list(zip(*metrics.nmi, strict=False))
    scored = (
        Series("training loss", [metrics.losses], wording.brief, floor=0.0),
        Series("validation accuracy", [metrics.val_accuracies], wording.level),
        Series(
            "test accuracy of each epoch", [metrics.test_accuracies], wording.level,
            note=_OFFICIAL_PRACTICE,
        ),
    )  # fmt: skip
    others = (
        Series("learning rate", [metrics.learning_rates], wording.brief, floor=0.0),
        Series(
            "NMI of prompts and patches", blocks, wording.brief,
            line_names=[f"block {i}" for i in range(1, len(blocks) + 1)],
            note="A line per block: the first is pale, the last strong.",
        ),
    )  # fmt: skip
    drawn = [draw_curve(series, metrics.selected_epoch) for series in scored]
    drawn += [draw_curve(series) for series in others]
    return [curve for curve in drawn if curve is not None]


def _epochs(metrics: Metrics) -> dict[str, float] | None:
    seconds = metrics.epoch_seconds
    if not seconds:
        return None
    return {"median": median(seconds), "fastest": min(seconds), "slowest": max(seconds)}


def _artifact(record: RunRecord) -> dict[str, Any] | None:
    """Return the adapter's name, bytes and version as far as they are known."""
    if record.artifact is not None:
        content = record.artifact.read_bytes()
        return {
            "name": record.artifact.name, "bytes": len(content), "version": version_of(content)
        }  # fmt: skip
    size = record.metrics.adapter_bytes
    return None if size is None else {"name": None, "bytes": size, "version": None}


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (wording.percent, wording.count, wording.size, wording.duration,
                     wording.recorded):  # fmt: skip
        environment.filters[function.__name__] = function
    return environment
