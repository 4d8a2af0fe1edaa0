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
from trainer.report.number import draw_numbers, read_number, read_numbers, worst_errors
from trainer.report.pictures import worst_mistakes
from trainer.report.record import RunMetrics, RunRecipe, RunRecord, read_part, read_record
from trainer.report.repeat import repeat_command
from trainer.report.scores import class_scores, count_pairs, frequent_confusions, wilson_interval
from trainer.report.several import read_several

_MAX_CONFUSIONS: Final = 12
_MAX_MISTAKES: Final = 12


def write_report(folder: Path) -> Path:
    """Write `report.html` into a finished run's folder and return its path.

    The same folder gives the same bytes. The page runs no script and asks nothing of the network.

    Raises:
        DataError: recipe, metrics or predictions are missing, malformed or contradict each other,
            or the folder cannot be written.
    """
    path = folder / "report.html"
    page = _page(folder)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{path}: expected a folder to write to, found none ({error.strerror}); "
            "correct its permissions or copy the run elsewhere"
        ) from error
    return path


def _page(folder: Path) -> str:
    recipe = read_part(folder / "recipe.json", RunRecipe)
    match recipe.target:
        case "multi-label":
            several = read_several(folder)
            return _rendered("several.html", folder, recipe, several, score="mAP")
        case "regression":
            found = read_numbers(folder)
            number = {
                "mistakes": worst_errors(found, _MAX_MISTAKES),
                "scatter": draw_numbers(found),
            }
            metrics = read_number(folder)
            return _rendered("number.html", folder, recipe, metrics, score="R²", **number)
        case _:
            return render(read_record(folder))


def render(record: RunRecord) -> str:
    """Return the HTML of the report of a run whose images have one class each."""
    metrics = record.metrics
    counts = count_pairs(record.predictions)
    scores = class_scores(counts, metrics.class_names)
    return _rendered(
        "report.html",
        record.folder,
        record.recipe,
        metrics,
        num_right=record.num_right,
        num_tested=len(record.predictions),
        interval=wilson_interval(record.num_right, len(record.predictions)),
        mean_accuracy=fmean(score.accuracy for score in scores),
        scores=scores,
        confusions=frequent_confusions(counts, metrics.class_names, _MAX_CONFUSIONS),
        heatmap=draw_heatmap(counts, metrics.class_names),
        group_size=group_size(len(metrics.class_names)),
        mistakes=worst_mistakes(record, _MAX_MISTAKES),
    )


def _rendered(
    template: str,
    folder: Path,
    recipe: RunRecipe,
    metrics: RunMetrics,
    score: str = "accuracy",
    **values: Any,
) -> str:
    """Return a page with what every report has, and what `values` have besides."""
    return render_page(
        Path(__file__).parent / template,
        task=recipe.task,
        method=recipe.method,
        metrics=metrics,
        curves=curves_of(metrics, score),
        epochs=_epochs(metrics),
        artifact=_artifact(folder, recipe, metrics),
        card=_card(folder),
        settings=list(flat_settings(recipe.model_dump())),
        command=repeat_command(recipe.model_dump()),
        **values,
    )


def _epochs(metrics: RunMetrics) -> dict[str, float] | None:
    seconds = metrics.epoch_seconds
    if not seconds:
        return None
    return {"median": median(seconds), "fastest": min(seconds), "slowest": max(seconds)}


def _card(folder: Path) -> str | None:
    """Return the model card; None where the run left none that can be read."""
    try:
        return (folder / "card.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _artifact(folder: Path, recipe: RunRecipe, metrics: RunMetrics) -> dict[str, Any] | None:
    """Return the adapter's name, bytes and version as far as they are known."""
    path = folder / f"{recipe.task}.safetensors"
    if path.is_file():
        content = path.read_bytes()
        return {"name": path.name, "bytes": len(content), "version": version_of(content)}
    size = metrics.adapter_bytes
    return None if size is None else {"name": None, "bytes": size, "version": None}
