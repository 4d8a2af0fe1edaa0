"""A run's model card, in the form of Hugging Face: front matter, then what people must know.

It says what the run measured and nothing else. The same run gives the same card: it has no times.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.shown import shown
from trainer.card.front_matter import front_matter
from trainer.card.origin import Origin, origin_of
from trainer.data.known import BUILTIN_NAMES
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.methods.table import METHODS
from trainer.recipe import Recipe

MAX_BYTES: Final = 16_000
"""A card above this is a file of the run alone, and no part of the artifact."""

_MAX_NAMES: Final = 40
_SCORES: Final = {
    "test_accuracy": "accuracy on test images",
    "test_mean_class_accuracy": "the same, as mean over classes",
    "test_macro_f1": "macro-F1 on test images",
    "val_accuracy": "accuracy on validation images",
    "test_map": "mean average precision on test images",
    "val_map": "mean average precision on validation images",
    "test_r2": "R² on test images",
    "test_mae": "mean absolute error on test images",
    "val_r2": "R² on validation images",
}


def model_card(recipe: Recipe, spec: BackboneSpec, found: Mapping[str, Any]) -> str:
    """Return the card as Markdown.

    Args:
        recipe: of the run.
        spec: of its backbone.
        found: what `metrics.json` holds, as far as it is known; what is absent is not told.
    """
    origin = origin_of(spec.name)
    sections = {
        "Data": _data(recipe, found),
        "Backbone": _backbone(spec, origin),
        "Training": _training(recipe, found),
        "Metrics": _metrics(found),
        "Calibration": _calibration(found),
        "Unknown images": _unknown(found),
        "Licence": _licence(recipe, origin),
        "Limits": _limits(recipe, found),
    }
    is_number = recipe.target == "regression"
    what = "that answers with a number" if is_number else f"of {found['classes']:,} classes"
    lead = (
        f"An adapter {what} for the frozen backbone {spec.name}, trained "
        f"by `{recipe.method}`. It does nothing without its backbone."
    )
    parts = [front_matter(recipe, found, origin), f"# {recipe.task}", lead]
    for title, lines in sections.items():
        if text := "\n".join(f"- {line}" for line in lines):
            parts += [f"## {title}", text]
    return "\n\n".join(parts) + "\n"


def _data(recipe: Recipe, found: Mapping[str, Any]) -> Iterator[str]:
    counts = (found[f"{split}_images"] for split in ("train", "val", "test"))
    yield "images: {:,} for training, {:,} for validation, {:,} for testing".format(*counts)
    if recipe.data.train_on == "train-and-val":
        yield "the validation images are among the training images"
    names = [shown(name) for name in found["class_names"]]
    more = f", and {len(names) - _MAX_NAMES:,} more" if len(names) > _MAX_NAMES else ""
    yield f"classes: {', '.join(names[:_MAX_NAMES])}{more}"
    for split, digest in found.get("list_digests", {}).items():
        yield f"sha256 of the {split} list: `{digest}`"
    if recipe.task in BUILTIN_NAMES:
        yield "a task that is built in"
    elif known := PUBLIC_TASKS.get(recipe.task):
        terms = known.terms or "not known to this program"
        yield f"a public task has this name, {known.title}; its publisher's terms: {terms}"
    else:
        yield "the licence of the images is not known to this program"
    if recipe.report.samples:
        yield "a few small training images are in the artifact, for people to look at"


def _backbone(spec: BackboneSpec, origin: Origin) -> Iterator[str]:
    yield f"name: {spec.name}{f', {origin.hub} on the hub' if origin.hub else ''}"
    yield f"sha256 of its tensors: `{spec.weights_sha256}`"
    yield f"input: {spec.image_size} x {spec.image_size} pixels; read-out: {spec.pooling}"


def _training(recipe: Recipe, found: Mapping[str, Any]) -> Iterator[str]:
    optim = recipe.optim
    yield f"method: {recipe.method} ({METHODS[recipe.method].source})"
    if recipe.protocol == "published":
        yield "protocol: what the method's authors trained with, as far as it is had"
    yield f"trained parameters: {found['trainable_parameters']:,}"
    yield (
        f"optimiser: {optim.name}, at most {optim.epochs} epochs of batches of {optim.batch_size}, "
        f"peak rate {optim.lr:g}; seed {recipe.seed}"
    )
    if "selected_epoch" in found:
        yield f"weights: those of epoch {found['selected_epoch']}"
    if optim.ema is not None:
        yield f"the weights are averages over steps, with a decay of {optim.ema:g}"


def _metrics(found: Mapping[str, Any]) -> Iterator[str]:
    for key, words in _SCORES.items():
        if found.get(key) is not None and not (key == "val_accuracy" and "train_on" in found):
            yield f"{words}: {found[key]:.4f}"
    yield "the test images were scored once, after the training, and decided nothing"


def _calibration(found: Mapping[str, Any]) -> Iterator[str]:
    error = found.get("test_calibration_error")
    if error is None:
        return
    yield f"expected calibration error on test images, in 15 bins: {error:.4f}"
    if fitted := found.get("calibration"):
        images = fitted["images"]
        yield f"temperature: {fitted['temperature']:.4g}, fitted on {images:,} validation images"
        if (before := found.get("test_calibration_error_before")) is not None:
            yield f"the same error without the temperature: {before:.4f}"
    else:
        yield f"temperature: none; {found['uncalibrated']}"


def _unknown(found: Mapping[str, Any]) -> Iterator[str]:
    rule = found.get("unknown")
    if not rule:
        return
    yield f"an image is called unknown where its {rule['score']} is below {rule['threshold']:.4g}"
    yield f"of validation images of the task itself, rejected: {rule['false_reject_rate']:.4f}"
    if (rejected := found.get("test_false_reject_rate")) is not None:
        yield f"of test images of the task itself, rejected: {rejected:.4f}"
    if other := found.get("other_task"):
        yield (
            f"told from {other['images']:,} images of {other['task']}: AUROC {other['auroc']:.4f}, "
            f"rejected {other['rejected']:.4f}"
        )


def _licence(recipe: Recipe, origin: Origin) -> Iterator[str]:
    yield f"of the adapter: {recipe.report.licence or 'not stated by who trained it'}"
    yield f"of the backbone: {origin.licence or 'not known to this program'}"


def _limits(recipe: Recipe, found: Mapping[str, Any]) -> Iterator[str]:
    tested = found["test_images"]
    yield f"the numbers above are of {tested:,} test images, and of no others"
    if recipe.target in ("multi-label", "regression"):
        yield "every image is answered, whatever it shows"
    elif not found.get("unknown"):
        yield "every image is given one of the classes, whatever it shows"
    elif not found.get("other_task"):
        yield "how well images of other things are told apart was not measured"
    yield "images of another source, camera or time were not measured"
    yield "nothing was measured for groups of people, nor against inputs made to mislead"
