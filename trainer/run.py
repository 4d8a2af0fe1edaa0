"""One training run: recipe → run folder → artifact.

The folder holds `recipe.json`, `state.pt` (resumable), `metrics.json`, `predictions.json`
(every test image with what the model says) and `<task>.safetensors`, the artifact.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from adapters.adapter import Adapter, AdapterMeta
from adapters.backbone import Backbone, choose_device, load_backbone
from adapters.codec import encode
from adapters.preprocess import Preprocessing
from trainer.classifier import PromptedClassifier
from trainer.data.load import load_task
from trainer.data.task_data import TaskData, check_readable
from trainer.errors import RecipeError
from trainer.evaluate import probabilities
from trainer.images import ImageSet, Split, batches
from trainer.inits import random_tokens
from trainer.loop import Progress, Watch, train
from trainer.recipe import Recipe

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
    model = _start(recipe, backbone, task_data, training)
    validation = ImageSet(task_data.val, preprocessing)
    forward, splits = _shortcut(model, training, validation, recipe)
    progress = train(recipe, model, forward, splits, folder / "state.pt", watch)
    test = ImageSet(task_data.test, preprocessing)
    metrics = _score(model, test, recipe, progress, folder)
    _write_metrics(folder, metrics | _facts(model, task_data), progress)
    adapter = _adapter(recipe, model, task_data, preprocessing, (metrics, progress.started_at))
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


def _start(
    recipe: Recipe, backbone: Backbone, task_data: TaskData, training: ImageSet
) -> PromptedClassifier:
    torch.manual_seed(recipe.seed)
    prompts = None
    if recipe.num_prompts:
        pixels, _ = next(batches(training, recipe.prompt.init_images, shuffle=True))
        available = len(pixels) * backbone.trunk.patch_embed.num_patches
        if recipe.num_prompts > available:
            raise RecipeError(
                f"prompt.num_tokens is {recipe.num_prompts}, but {len(pixels)} images have only "
                f"{available} patch tokens to sample; lower it or raise prompt.init_images"
            )
        prompts = random_tokens(
            backbone,
            pixels,
            num_tokens=recipe.num_prompts,
            num_layers=backbone.spec.depth if recipe.method == "spt-deep" else 1,
            generator=torch.Generator().manual_seed(recipe.seed),
        )
    return PromptedClassifier(backbone, len(task_data.task.class_names), prompts)


def _shortcut(
    model: PromptedClassifier, training: ImageSet, validation: ImageSet, recipe: Recipe
) -> tuple[Forward, tuple[Split, Split]]:
    """Train a bare head on features computed once, unless every epoch sees other pixels."""
    if model.prompts is not None or training.augment is not None:
        return model, (training, validation)
    sets = [_features(model, images, recipe.optim.batch_size) for images in (training, validation)]
    return model.head, (sets[0], sets[1])


def _features(model: PromptedClassifier, images: ImageSet, batch_size: int) -> Split:
    inputs, labels = [], []
    with torch.no_grad():
        for pixels, found in batches(images, batch_size):
            inputs.append(model.features(pixels))
            labels.append(found)
    return cast(Split, TensorDataset(torch.cat(inputs), torch.cat(labels)))


def _score(
    model: PromptedClassifier, test: ImageSet, recipe: Recipe, progress: Progress, folder: Path
) -> dict[str, float]:
    rows: list[tuple[int, int, float]] = []
    for scores, labels in probabilities(model, test, recipe.optim.batch_size):
        best, index = scores.max(dim=1)
        rows += zip(labels.tolist(), index.tolist(), best.tolist(), strict=True)
    predictions = [
        {"image": str(sample.path.resolve()), "label": label, "predicted": index, "score": score}
        for sample, (label, index, score) in zip(test.samples, rows, strict=True)
    ]
    (folder / "predictions.json").write_text(json.dumps(predictions, indent=1))
    metrics = {
        "test_accuracy": sum(p["label"] == p["predicted"] for p in predictions) / len(predictions),
        "val_accuracy": progress.val_accuracies[-1],
        "best_val_accuracy": max(progress.val_accuracies),
        "train_loss": progress.losses[-1],
        "train_seconds": round(progress.seconds, 1),
    }
    return metrics


def _facts(model: PromptedClassifier, task_data: TaskData) -> dict[str, Any]:
    backbone = model.backbone
    return {
        "backbone": backbone.spec.name,
        "backbone_parameters": sum(p.numel() for p in backbone.trunk.parameters()),
        "trainable_parameters": sum(p.numel() for p in model.parameters()),
        "classes": len(task_data.task.class_names),
        "class_names": task_data.task.class_names,
        "train_images": len(task_data.train),
        "test_images": len(task_data.test),
        "device": str(backbone.device),
    }


def _write_metrics(folder: Path, metrics: dict[str, Any], progress: Progress) -> None:
    curves = {"losses": progress.losses, "val_accuracies": progress.val_accuracies}
    (folder / "metrics.json").write_text(json.dumps(metrics | curves, indent=2))


def _adapter(
    recipe: Recipe,
    model: PromptedClassifier,
    task_data: TaskData,
    preprocessing: Preprocessing,
    outcome: tuple[dict[str, float], str],
) -> Adapter:
    metrics, started_at = outcome
    meta = AdapterMeta(
        task=task_data.task,
        method=recipe.method,
        init=recipe.prompt.init if recipe.num_prompts else None,
        backbone=model.backbone.spec,
        preprocessing=preprocessing,
        recipe=recipe.model_dump(mode="json"),
        metrics={k: v for k, v in metrics.items() if k.endswith("accuracy")},
        data_sha256=task_data.digest(),
        seed=recipe.seed,
        created_at=started_at,
        code_version=version("spt-serving"),
    )
    prompts = None if model.prompts is None else model.prompts.detach()
    return Adapter(prompts, model.head.weight.detach(), model.head.bias.detach(), meta)
