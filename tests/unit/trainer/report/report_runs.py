"""Finished run folders as the trainer leaves them, small and made up."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from tests.fakes.artifacts import make_calibration

RECIPE = {
    "task": "toy",
    "backbone": "vit_tiny",
    "weights": None,
    "method": "spt-deep",
    "seed": 3,
    "prompt": {"num_tokens": 2, "init": "random"},
    "optim": {"epochs": 3, "lr": 0.01},
}
MEASURED = {
    "epoch_seconds": [4.0, 2.0, 3.0],
    "learning_rates": [0.0, 0.01, 0.005],
    "test_accuracies": [0.25, 0.75, 0.5],
    "parts": {"prompts": 384, "head": 98},
    "init": {"images": 4, "cluster_sizes": [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]},
    "list_digests": {"train": "ab" * 32},
    "selected_epoch": 2,
    "nmi": [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]],
    "adapter_bytes": 12_345,
    "calibration": make_calibration(1.75).model_dump(),
    "unknown": {"score": "energy", "threshold": 1.25, "images": 200, "false_reject_rate": 0.05},
    "test_false_reject_rate": 0.06,
    "test_macro_f1": 0.484,
    "other_task": {"task": "shapes", "images": 40, "auroc": 0.91234, "rejected": 0.7},
    "test_calibration_error": 0.04,
    "test_calibration_error_before": 0.2,
}
"""What only newer runs, or runs asked for it, leave in `metrics.json`."""

Answer = tuple[int, int, float]
"""Label, predicted, score."""

ANSWERS = [(0, 0, 0.9), (0, 1, 0.6), (1, 1, 0.8), (1, 0, 0.7)]


def make_run(
    folder: Path,
    answers: list[Answer] = ANSWERS,
    names: tuple[str, ...] = ("cat", "dog"),
    **changes: Any,
) -> Path:
    """Write a run's three files, no images; `changes` go into the metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    predictions = [
        {"image": str(folder / f"{i}.png"), "label": label, "predicted": predicted, "score": score}
        for i, (label, predicted, score) in enumerate(answers)
    ]
    metrics = {
        "test_accuracy": sum(a[0] == a[1] for a in answers) / len(answers),
        "val_accuracy": 0.75,
        "train_loss": 0.5,
        "train_seconds": 9.0,
        "backbone": "vit_tiny",
        "backbone_parameters": 10_000,
        "trainable_parameters": 482,
        "classes": len(names),
        "class_names": names,
        "train_images": 8,
        "test_images": len(answers),
        "device": "cpu",
        "losses": [1.0, 0.75, 0.5],
        "val_accuracies": [0.5, 0.75, 0.25],
    }
    (folder / "recipe.json").write_text(json.dumps(RECIPE))
    (folder / "metrics.json").write_text(json.dumps(metrics | changes))
    (folder / "predictions.json").write_text(json.dumps(predictions))
    return folder


def add_images(folder: Path, count: int = len(ANSWERS)) -> None:
    """Write the image of each answer."""
    for i in range(count):
        Image.new("RGB", (20, 16), (90, 120, 30 * i)).save(folder / f"{i}.png")
