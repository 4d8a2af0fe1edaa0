"""The report of a run: one HTML file with everything in it.

Decides what is shown; the other modules prepare it, `report.html` lays it out.
"""

from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

from adapters.artifact.codec import version_of
from trainer.errors import DataError
from trainer.page.template import render_page
from trainer.recipe import flat_settings
from trainer.report.curves import curves_of
from trainer.report.heatmap import draw_heatmap, group_size
from trainer.report.pictures import worst_mistakes
from trainer.report.record import Metrics, RunRecord, read_record
from trainer.report.repeat import repeat_command
from trainer.report.scores import class_scores, count_pairs, frequent_confusions, wilson_interval

_MAX_CONFUSIONS: Final = 12
_MAX_MISTAKES: Final = 12
_TEMPLATE: Final = Path(__file__).parent / "report.html"


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
    return render_page(
        _TEMPLATE,
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
        group_size=group_size(len(metrics.class_names)),
        curves=curves_of(metrics),
        mistakes=worst_mistakes(record, _MAX_MISTAKES),
        epochs=_epochs(metrics),
        artifact=_artifact(record),
        card=record.card,
        settings=list(flat_settings(recipe.model_dump())),
        command=repeat_command(recipe.model_dump()),
    )  # fmt: skip


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
