"""What a finished run leaves: its score on the test set, its files, its adapter."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from adapters.artifact.calibration import Calibration
from adapters.artifact.meta import AdapterMeta
from adapters.store import durable
from adapters.vit.adapter import Adapter
from trainer.confidence.calibration import (
    Calibrated,
    calibrate,
    calibration_error,
    scores_of,
)
from trainer.experiment.materials import Materials
from trainer.methods.classifier import Classifier
from trainer.methods.prompted import PromptedClassifier
from trainer.methods.table import METHODS
from trainer.recipe import Recipe
from trainer.training.checkpoint import Progress
from trainer.training.evaluate import Forward, logits_of
from trainer.training.images import ImageSet


def calibrate_model(model: Classifier, validation: ImageSet, batch_size: int) -> Calibrated:
    """Fit a temperature on the validation split, in float32 as served."""
    logits, labels = zip(*logits_of(_served(model), validation, batch_size), strict=True)
    return calibrate(torch.cat(logits), torch.cat(labels))


def score_test(
    model: Classifier,
    test: ImageSet,
    recipe: Recipe,
    progress: Progress,
    folder: Path,
    calibration: Calibration | None,
) -> dict[str, float]:
    """Score the test set once, in float32 as served; leaves `predictions.json`."""
    temperature = 1.0 if calibration is None else calibration.temperature
    rows: list[tuple[int, int, float, float]] = []
    for logits, labels in logits_of(_served(model), test, recipe.optim.batch_size):
        found = labels, logits.argmax(dim=1), scores_of(logits, temperature), scores_of(logits, 1.0)
        rows += zip(*(one.tolist() for one in found), strict=True)
    predictions = [
        {"image": str(sample.path.resolve()), "label": label, "predicted": index, "score": score}
        for sample, (label, index, score, _) in zip(test.samples, rows, strict=True)
    ]
    _write(folder / "predictions.json", predictions)
    is_right = torch.tensor([label == index for label, index, *_ in rows])
    scores, plain = torch.tensor([row[2:] for row in rows]).T
    return {
        "test_accuracy": int(is_right.sum()) / len(rows),
        "test_calibration_error": calibration_error(scores, is_right),
        "test_calibration_error_before": calibration_error(plain, is_right),
        "val_accuracy": selected_accuracy(recipe, progress),
        "train_loss": progress.losses[-1],
        "train_seconds": round(sum(progress.epoch_seconds), 1),
    }


def selected_epoch(recipe: Recipe, progress: Progress) -> int:
    """Return the epoch, from 1, whose weights are kept: the last, or the last of the best."""
    if recipe.select == "last":
        return progress.epochs
    best = max(progress.val_accuracies)
    return progress.epochs - progress.val_accuracies[::-1].index(best)


def selected_accuracy(recipe: Recipe, progress: Progress) -> float:
    """Return the validation accuracy of the epoch whose weights are kept, in [0, 1]."""
    return progress.val_accuracies[selected_epoch(recipe, progress) - 1]


def facts(model: Classifier, materials: Materials) -> dict[str, Any]:
    """Return the sizes of a run: classes, images, parameters."""
    backbone, task_data = model.backbone, materials.task_data
    return {
        "backbone": backbone.spec.name,
        "backbone_parameters": backbone.num_parameters,
        "trainable_parameters": sum(model.parts().values()),
        "parts": model.parts(),
        "classes": len(task_data.task.class_names),
        "class_names": task_data.task.class_names,
        "train_images": len(task_data.train),
        "val_images": len(task_data.val),
        "test_images": len(task_data.test),
        "list_digests": task_data.list_digests(),
        "device": str(backbone.device),
    }


def write_metrics(
    recipe: Recipe, folder: Path, metrics: dict[str, Any], progress: Progress
) -> None:
    """Leave `metrics.json`: scores, sizes and the curves over epochs."""
    curves = {
        "losses": progress.losses,
        "val_accuracies": progress.val_accuracies,
        "epoch_seconds": progress.epoch_seconds,
        "selected_epoch": selected_epoch(recipe, progress),
        "init": progress.init,
    }
    _write(folder / "metrics.json", metrics | curves | progress.observed)


def make_adapter(
    recipe: Recipe,
    model: Classifier,
    materials: Materials,
    metrics: dict[str, float],
    calibration: Calibration | None,
) -> Adapter | None:
    """Return the trained adapter, or None for a method that the service cannot serve."""
    if not METHODS[recipe.method].is_served:
        return None
    meta = AdapterMeta(
        task=materials.task_data.task,
        method=recipe.method,
        init=recipe.prompt.init if recipe.num_prompts else None,
        first_block=recipe.prompt.first_block,
        backbone=model.backbone.spec,
        preprocessing=materials.preprocessing,
        recipe=recipe.provenance(),
        metrics={k: v for k, v in metrics.items() if k.endswith("accuracy")},
        calibration=calibration,
        data_sha256=materials.fingerprints["train_images"]["content"],
        seed=recipe.seed,
        code_version=version("spt-serving"),
    )
    prompts = model.prompts.detach() if isinstance(model, PromptedClassifier) else None
    return Adapter(prompts, model.head.weight.detach(), model.head.bias.detach(), meta)


def _served(model: Classifier) -> Forward:
    return lambda pixels: model(pixels.to(model.backbone.device))


def _write(path: Path, content: object) -> None:
    durable.write(path, json.dumps(content, indent=1).encode())
