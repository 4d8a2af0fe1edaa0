"""One training run: recipe → run folder → artifact.

The folder holds `recipe.json`, `state.pt` (resumable), `metrics.json`, `predictions.json`
(every test image with what the model says), `card.md` and `<task>.safetensors`, the artifact.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapters.store import durable
from adapters.vit.adapter import encode
from trainer.card.card import model_card
from trainer.experiment.confidence import choose_confidence, told_apart
from trainer.experiment.folder import (
    CARD,
    RECIPE,
    STATE,
    check_forgettable,
    check_free,
    check_writable,
    files_explained,
    forget,
)
from trainer.experiment.found import found, warned
from trainer.experiment.identity import identity_of
from trainer.experiment.materials import Materials, prepare
from trainer.experiment.observers import observers_of
from trainer.experiment.outcome import (
    choices,
    facts,
    make_adapter,
    score_test,
    write_metrics,
)
from trainer.experiment.start import blank_model, start_model
from trainer.experiment.tensorboard import logged
from trainer.methods.classifier import Classifier
from trainer.recipe import Recipe
from trainer.tracking.tracker import Tracking, tracking_of
from trainer.training import distributed
from trainer.training.checkpoint import START_OVER, Progress, read
from trainer.training.forward import forward_of, out_of_memory_explained
from trainer.training.identity import Identity
from trainer.training.images import Split
from trainer.training.long_tail import logit_offset
from trainer.training.loop import EpochWatch, Job, Watch, train
from trainer.training.regularising.noise import is_noisy
from trainer.training.regularising.stopping import has_stopped


@dataclass(frozen=True)
class Result:
    """What a run left.

    Attributes:
        folder: the run folder.
        artifact: the adapter's file; None for a method that the service cannot serve.
        metrics: scores and seconds.
    """

    folder: Path
    artifact: Path | None
    metrics: dict[str, Any]


def run(
    recipe: Recipe,
    data: Path | None,
    folder: Path,
    watch: Watch,
    *,
    fresh: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Result:
    """Train one task end to end and leave its artifact in `folder`.

    Args:
        recipe: decides everything but the place of the data.
        data: the task's images; None for built-in tasks.
        folder: the run folder; an interrupted run in it goes on.
        watch: told of every step.
        fresh: forget an earlier run in the folder, once the data and the backbone are found sound.
        tell: told in a line what was found, and of a training that ends early or was over before.

    Raises:
        TrainerError: data, recipe or folder are wrong, or the training cannot go on; says where
            and what to do.
        SptError: the backbone or its weights cannot be had.
    """
    check_writable(folder)
    tracking = tracking_of(recipe)
    with files_explained(folder):
        (check_forgettable if fresh else check_free)(folder)
        materials = prepare(recipe, data)
        if distributed.rank() == 0:
            for line in filter(None, (found(recipe, materials), warned(materials))):
                tell(line)
            if fresh:
                forget(folder)
        distributed.wait()
        if distributed.rank() > 0:
            fit(recipe, materials, folder, watch)
            return Result(folder, None, {})
        with _told(tracking, recipe, folder) as said:
            model, progress = fit(recipe, materials, folder, watch, tracking.epoch)
            if ending := _ending(recipe, progress):
                tell(ending)
            result = finish(recipe, materials, (model, progress), folder)
            scores = result.metrics.items()
            said.update({name: one for name, one in scores if isinstance(one, int | float)})
        return result


@contextmanager
def _told(tracking: Tracking, recipe: Recipe, folder: Path) -> Iterator[dict[str, float]]:
    """Tell services of a run's begin, and of its end with what is put into the scores."""
    scores: dict[str, float] = {}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        tracking.started(recipe, folder)
        yield scores
    finally:
        tracking.finished(scores or None)


def _ending(recipe: Recipe, progress: Progress) -> str:
    """Return what is to be said of a training that was over before, or ended early."""
    if progress.restored == progress.epochs:
        return f"{recipe.task}: this run was finished already, nothing is trained; {START_OVER}"
    if has_stopped(recipe.optim, progress.val_accuracies):
        return (
            f"{recipe.task}: stopped after epoch {progress.epochs} of {recipe.optim.epochs}: no "
            f"better validation accuracy in {recipe.optim.patience} epochs"
        )
    return ""


def fit(
    recipe: Recipe,
    materials: Materials,
    folder: Path,
    watch: Watch,
    epoch_watch: EpochWatch = lambda _: None,
) -> tuple[Classifier, Progress]:
    """Train, scoring the validation split only; the test set is not touched.

    Args:
        recipe: decides everything but the place of the data.
        materials: images and backbone.
        folder: the run folder; an interrupted run in it goes on.
        watch: told of every step.
        epoch_watch: told of every epoch that is trained.

    Raises:
        TrainerError: as `run`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check_free(folder)
    state, identity = folder / STATE, identity_of(recipe, materials)
    if state.exists():
        read(state, identity)  # refused before anything is computed or written over
    if distributed.rank() == 0:
        durable.write(folder / RECIPE, recipe.model_dump_json(indent=2).encode())
    backbone, num_classes = materials.backbone, len(materials.task_data.task.class_names)
    with out_of_memory_explained(recipe):
        if state.exists():
            model, progress = blank_model(recipe, backbone, num_classes), None
        else:
            model, init = start_model(recipe, backbone, num_classes, materials.training)
            progress = Progress(init=init)
        with logged(recipe, folder, watch) as told:
            job = _job(recipe, materials, model, state, identity, told)
            return model, train(replace(job, epoch_watch=epoch_watch), progress)


def finish(
    recipe: Recipe, materials: Materials, trained: tuple[Classifier, Progress], folder: Path
) -> Result:
    """Score the test set once, and leave scores, predictions, card and artifact."""
    model, progress = trained
    confidence = choose_confidence(recipe, model, materials)
    metrics = score_test(model, materials, recipe, progress, folder, confidence)
    known = confidence.as_metrics() | told_apart(recipe, model, materials, confidence)
    about = metrics | facts(model, materials) | choices(recipe, progress) | known
    card = model_card(recipe, model.backbone.spec, about)
    adapter = make_adapter(recipe, model, materials, metrics, confidence, card)
    content = None if adapter is None else encode(adapter)
    size = {"adapter_bytes": None if content is None else len(content)}
    write_metrics(folder, about | size, progress, materials.objective)
    durable.write(folder / CARD, card.encode())
    if content is None:
        return Result(folder, None, metrics)
    artifact = folder / f"{recipe.task}.safetensors"
    durable.write(artifact, content)
    return Result(folder, artifact, metrics)


def run_folder(recipe: Recipe) -> Path:
    """Return the folder of a run where none is asked for, by task, backbone and method."""
    return Path("runs/train") / recipe.task / f"{recipe.backbone}-{recipe.method}"


def _job(
    recipe: Recipe,
    materials: Materials,
    model: Classifier,
    state: Path,
    identity: Identity,
    watch: Watch,
) -> Job:
    """Train a bare head on features computed once, unless every epoch sees others."""
    observers = observers_of(recipe, materials, model)
    device, size = materials.backbone.device, recipe.optim.batch_size
    changes = materials.training.augment is not None or is_noisy(recipe)
    if model.has_fixed_features and not changes:
        forward = forward_of(model.head, recipe, device)
        training: Split = materials.training_features.of(model, materials.training, size)
        validation: Split = materials.validation_features.of(model, materials.validation, size)
    else:
        forward = forward_of(model, recipe, device)
        training, validation = materials.training, materials.validation
    offset = logit_offset(
        recipe.optim.logit_adjustment,
        [sample.label for sample in materials.training.samples],
        len(materials.task_data.task.class_names),
    )
    return Job(
        *(recipe, model, forward, training, validation, state, identity, watch, observers),
        offset=offset,
        objective=materials.objective,
    )
