"""One training run: recipe → run folder → artifact.

The folder holds `recipe.json`, `state.pt` (resumable), `metrics.json`, `predictions.json`
(every test image with what the model says) and `<task>.safetensors`, the artifact.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from adapters.backbone import Backbone, choose_device, load_backbone
from adapters.codec import encode
from adapters.preprocess import Preprocessing
from trainer.classifier import PromptedClassifier
from trainer.data.load import load_task
from trainer.data.task_data import check_readable
from trainer.images import ImageSet, Split
from trainer.loop import Watch, train
from trainer.outcome import facts, make_adapter, score_test, write_metrics
from trainer.recipe import Recipe
from trainer.start import cached, start_model

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Result:
    """What a run left."""

    folder: Path
    artifact: Path
    metrics: dict[str, float]


def run(recipe: Recipe, data: Path | None, folder: Path, watch: Watch) -> Result:
    """Train one task end to end and leave its artifact in `folder`.

    Args:
        recipe: decides everything but the place of the data.
        data: the task's images; None for built-in tasks.
        folder: the run folder; an interrupted run in it goes on.
        watch: told of every step.

    Raises:
        TrainerError: data, recipe or folder are wrong; says where and what to do.
        AdapterError: the backbone or its weights cannot be had.
    """
    task_data = load_task(recipe.task, data, recipe.seed)
    for split in (task_data.train, task_data.val, task_data.test):
        check_readable(split)
    backbone = load_backbone(
        recipe.backbone, recipe.weights, device=choose_device(), pooling=recipe.pooling
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.json").write_text(recipe.model_dump_json(indent=2))
    preprocessing = preprocessing_of(recipe, backbone)
    training = ImageSet(
        task_data.train, preprocessing, augment=recipe.pixels.augment == "crop-flip"
    )
    model = start_model(recipe, backbone, len(task_data.task.class_names), training)
    validation = ImageSet(task_data.val, preprocessing)
    forward, splits = _shortcut(model, training, validation, recipe)
    progress = train(recipe, model, forward, splits, folder / "state.pt", watch)
    test = ImageSet(task_data.test, preprocessing)
    metrics = score_test(model, test, recipe, progress, folder)
    write_metrics(folder, metrics | facts(model, task_data), progress)
    adapter = make_adapter(recipe, model, task_data, preprocessing, (metrics, progress.started_at))
    artifact = folder / f"{recipe.task}.safetensors"
    artifact.write_bytes(encode(adapter))
    return Result(folder, artifact, metrics)


def forget(folder: Path) -> None:
    """Delete a run folder, to start over."""
    shutil.rmtree(folder, ignore_errors=True)


def preprocessing_of(recipe: Recipe, backbone: Backbone) -> Preprocessing:
    """Return the backbone's preprocessing under the recipe's resize rule."""
    own = backbone.preprocessing
    size = recipe.pixels.resize_size or own.resize_size
    return own.model_copy(update={"resize": recipe.pixels.resize, "resize_size": size})


def _shortcut(
    model: PromptedClassifier, training: ImageSet, validation: ImageSet, recipe: Recipe
) -> tuple[Forward, tuple[Split, Split]]:
    """Train a bare head on features computed once, unless every epoch sees other pixels."""
    if model.prompts is not None or training.augment is not None:
        return model, (training, validation)
    size = recipe.optim.batch_size
    return model.head, (cached(model, training, size), cached(model, validation, size))
