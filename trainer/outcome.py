"""What a finished run leaves: its score on the test set, its files, its adapter."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from adapters.adapter import Adapter, AdapterMeta
from adapters.preprocess import Preprocessing
from trainer.classifier import PromptedClassifier
from trainer.data.task_data import TaskData
from trainer.evaluate import probabilities
from trainer.images import ImageSet
from trainer.loop import Progress
from trainer.recipe import Recipe


def score_test(
    model: PromptedClassifier, test: ImageSet, recipe: Recipe, progress: Progress, folder: Path
) -> dict[str, float]:
    """Score the test set once; leaves `predictions.json`."""
    rows: list[tuple[int, int, float]] = []
    for scores, labels in probabilities(model, test, recipe.optim.batch_size):
        best, index = scores.max(dim=1)
        rows += zip(labels.tolist(), index.tolist(), best.tolist(), strict=True)
    predictions = [
        {"image": str(sample.path.resolve()), "label": label, "predicted": index, "score": score}
        for sample, (label, index, score) in zip(test.samples, rows, strict=True)
    ]
    (folder / "predictions.json").write_text(json.dumps(predictions, indent=1))
    return {
        "test_accuracy": sum(p["label"] == p["predicted"] for p in predictions) / len(predictions),
        "val_accuracy": max(progress.val_accuracies)
        if recipe.select == "best-validation"
        else progress.val_accuracies[-1],
        "train_loss": progress.losses[-1],
        "train_seconds": round(progress.seconds, 1),
    }


def facts(model: PromptedClassifier, task_data: TaskData) -> dict[str, Any]:
    """Return the sizes of a run: classes, images, parameters."""
    backbone = model.backbone
    return {
        "backbone": backbone.spec.name,
        "backbone_parameters": backbone.num_parameters,
        "trainable_parameters": sum(p.numel() for p in model.parameters()),
        "classes": len(task_data.task.class_names),
        "class_names": task_data.task.class_names,
        "train_images": len(task_data.train),
        "test_images": len(task_data.test),
        "device": str(backbone.device),
    }


def write_metrics(folder: Path, metrics: dict[str, Any], progress: Progress) -> None:
    """Leave `metrics.json`: scores, sizes and the curves over epochs."""
    curves = {"losses": progress.losses, "val_accuracies": progress.val_accuracies}
    (folder / "metrics.json").write_text(json.dumps(metrics | curves, indent=2))


def make_adapter(
    recipe: Recipe,
    model: PromptedClassifier,
    task_data: TaskData,
    preprocessing: Preprocessing,
    outcome: tuple[dict[str, float], str],
) -> Adapter:
    """Return the trained adapter; `outcome` is the scores and when the run began."""
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
