"""What a finished run leaves: its score on the test set, its files, its adapter."""

import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sklearn.metrics import f1_score, recall_score
from torch import Tensor

from adapters.artifact.meta import AdapterMeta
from adapters.store import durable
from adapters.vit.adapter import Adapter
from trainer.confidence.calibration import calibration_error, scores_of
from trainer.experiment.confidence import Confidence, served
from trainer.experiment.materials import Materials
from trainer.methods.classifier import Classifier
from trainer.methods.prompted import PromptedClassifier
from trainer.methods.table import METHODS
from trainer.recipe import Recipe
from trainer.training.checkpoint import Progress
from trainer.training.evaluate import logits_of
from trainer.training.images import ImageSet


class _Scored(NamedTuple):
    """A test image's label, and what the model says of it; `plain` is without the temperature."""

    label: int
    predicted: int
    score: float
    plain: float


def score_test(
    model: Classifier,
    test: ImageSet,
    recipe: Recipe,
    progress: Progress,
    folder: Path,
    confidence: Confidence,
) -> dict[str, float]:
    """Score the test set once, in float32 as served; leaves `predictions.json`."""
    rows: list[_Scored] = []
    for logits, labels in logits_of(served(model), test, recipe.optim.batch_size):
        scores = scores_of(logits, confidence.temperature), scores_of(logits, 1.0)
        found = labels, logits.argmax(dim=1), *scores
        rows += map(_Scored._make, zip(*(one.tolist() for one in found), strict=True))
    predictions = [
        {
            "image": str(sample.path.resolve()),
            "label": row.label,
            "predicted": row.predicted,
            "score": row.score,
        }
        for sample, row in zip(test.samples, rows, strict=True)
    ]
    _write(folder / "predictions.json", predictions)
    return _test_metrics(rows) | {
        "val_accuracy": selected_accuracy(recipe, progress),
        "train_loss": progress.losses[-1],
        "train_seconds": round(sum(progress.epoch_seconds), 1),
    }


def _test_metrics(rows: Sequence[_Scored]) -> dict[str, float]:
    labels, predicted, scores, plain = (torch.tensor(one) for one in zip(*rows, strict=True))
    is_right = labels == predicted
    return {
        "test_accuracy": int(is_right.sum()) / len(rows),
        "test_mean_class_accuracy": _macro(recall_score, labels, predicted),
        "test_macro_f1": _macro(f1_score, labels, predicted),
        "test_calibration_error": calibration_error(scores, is_right),
        "test_calibration_error_before": calibration_error(plain, is_right),
    }


def _macro(score: Callable[..., Any], labels: Tensor, predicted: Tensor) -> float:
    """Return the mean of a score over the classes that have test images."""
    known = labels.unique()
    return float(score(labels, predicted, labels=known, average="macro", zero_division=0))


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
    confidence: Confidence,
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
        metrics={name: metrics[name] for name in ("test_accuracy", "val_accuracy")},
        calibration=confidence.calibration,
        unknown=confidence.unknown,
        data_sha256=materials.fingerprints["train_images"]["content"],
        seed=recipe.seed,
        code_version=version("spt-serving"),
    )
    prompts = model.prompts.detach() if isinstance(model, PromptedClassifier) else None
    weight, bias = model.head.weight.detach(), model.head.bias.detach()
    return Adapter(prompts, weight, bias, meta, confidence.spread)


def _write(path: Path, content: object) -> None:
    durable.write(path, json.dumps(content, indent=1).encode())
