"""What a finished run leaves: its score on the test set, its files, its adapter."""

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from adapters.artifact.meta import AdapterMeta, schema_of
from adapters.store import durable
from adapters.vit.adapter import Adapter
from trainer.card.card import MAX_BYTES
from trainer.card.samples import sample_images
from trainer.experiment.confidence import Confidence, served
from trainer.experiment.materials import Materials
from trainer.methods.classifier import Classifier
from trainer.methods.table import METHODS
from trainer.objectives.objective import Objective
from trainer.recipe import Recipe
from trainer.training.checkpoint import Progress
from trainer.training.evaluate import logits_of

_NAMED = 10
"""Copies that the metrics name."""


def score_test(
    model: Classifier,
    materials: Materials,
    recipe: Recipe,
    progress: Progress,
    folder: Path,
    confidence: Confidence,
) -> dict[str, Any]:
    """Score the test set once, in float32 as served; leaves `predictions.json`."""
    test, objective = materials.test, materials.objective
    batches = logits_of(served(model), test, recipe.optim.batch_size)
    metrics, rows = objective.tested(batches, confidence.target, confidence.temperature)
    predictions = [
        {"image": os.path.realpath(str(sample.path))} | row
        for sample, row in zip(test.samples, rows, strict=True)
    ]
    _write(folder / "predictions.json", predictions)
    return metrics | {
        f"val_{objective.metric}": selected_score(recipe, progress),
        "train_loss": progress.losses[-1],
        "train_seconds": round(sum(progress.epoch_seconds), 1),
    }


def selected_epoch(recipe: Recipe, progress: Progress) -> int:
    """Return the epoch, from 1, whose weights are kept: the last, or the last of the best."""
    if recipe.select == "last":
        return progress.epochs
    best = max(progress.val_accuracies)
    return progress.epochs - progress.val_accuracies[::-1].index(best)


def selected_score(recipe: Recipe, progress: Progress) -> float:
    """Return the validation score of the epoch whose weights are kept, 1 at most."""
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
        "held_out": task_data.held_out,
        "copies": {
            "count": len(materials.copies),
            "named": [copy._asdict() for copy in materials.copies[:_NAMED]],
        },
        "device": str(backbone.device),
    }


def write_metrics(
    folder: Path, metrics: dict[str, Any], progress: Progress, objective: Objective
) -> None:
    """Leave `metrics.json`: scores, sizes and the curves over epochs."""
    curves = {
        "losses": progress.losses,
        "val_accuracies" if objective.counts_right else "val_scores": progress.val_accuracies,
        "epoch_seconds": progress.epoch_seconds,
        "init": progress.init,
    }
    _write(folder / "metrics.json", metrics | curves | progress.observed)


def choices(recipe: Recipe, progress: Progress) -> dict[str, Any]:
    """Return which weights of a training are kept, and whether it ended early."""
    optim = recipe.optim
    return {
        "selected_epoch": selected_epoch(recipe, progress),
        **({} if recipe.data.train_on == "train" else {"train_on": recipe.data.train_on}),
        **({} if optim.ema is None else {"ema": optim.ema}),
        **({} if optim.patience is None else {"stopped_early": progress.epochs < optim.epochs}),
    }


def make_adapter(
    recipe: Recipe,
    model: Classifier,
    materials: Materials,
    metrics: dict[str, Any],
    confidence: Confidence,
    card: str,
) -> Adapter | None:
    """Return the trained adapter, or None for a method that the service cannot serve."""
    if not METHODS[recipe.method].is_served:
        return None
    meta = AdapterMeta(
        schema_version=schema_of(confidence.target),
        task=materials.task_data.task,
        method=recipe.method,
        init=recipe.prompt.init if recipe.num_prompts else None,
        first_block=recipe.prompt.first_block,
        backbone=model.backbone.spec,
        preprocessing=materials.preprocessing,
        recipe=recipe.provenance(),
        metrics={name: metrics[name] for name in materials.objective.published},
        calibration=confidence.calibration,
        unknown=confidence.unknown,
        target=confidence.target,
        class_groups=materials.class_groups,
        card=card if len(card.encode()) <= MAX_BYTES else None,
        samples=sample_images(materials.task_data, recipe.report.samples),
        data_sha256=materials.fingerprints["train_images"]["content"],
        seed=recipe.seed,
        code_version=version("spt-serving"),
    )
    tensors = {"prompts": None} | {n: one.detach() for n, one in model.changes().items()}
    head_weight, head_bias = model.head.weight.detach(), model.head.bias.detach()
    return Adapter(
        head_weight=head_weight,
        head_bias=head_bias,
        meta=meta,
        spread=confidence.spread,
        **tensors,
    )


def _write(path: Path, content: object) -> None:
    durable.write(path, json.dumps(content, indent=1).encode())
