"""A task that a tiny trunk can learn in seconds, as tensors and as image files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import TensorDataset

from adapters.vit.adapter import Adapter, decode
from adapters.vit.backbone import Backbone
from tests.fakes.tiny import tiny_backbone
from trainer.experiment.run import Result, run
from trainer.methods.build import build
from trainer.methods.classifier import Classifier
from trainer.recipe import Recipe
from trainer.training.checkpoint import Progress

BACKBONE = tiny_backbone()
SIDE = 16
COLOURS = {"blue": (40, 60, 220), "red": (220, 60, 40)}


def toy_recipe(**changes: object) -> Recipe:
    """Return a recipe of three epochs and few prompts; `changes` replace top-level fields."""
    fields = {
        "task": "toy",
        "method": "spt-deep",
        "prompt": {"num_tokens": 2, "init_images": 4},
        "optim": {"epochs": 3, "warmup_epochs": 1, "batch_size": 4, "lr": 1e-2},
    }
    return Recipe.model_validate(fields | changes)


def toy_pixels(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return noisy images of one shade per class, and their labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    noise = torch.randn(count, 3, SIDE, SIDE, generator=generator) * 0.5
    return noise + (labels * 2.0 - 1)[:, None, None, None], labels


def toy_set(count: int, seed: int = 0) -> TensorDataset:
    """Return the same as a data set."""
    return TensorDataset(*toy_pixels(count, seed))


def save_noisy(path: Path, colour: tuple[int, int, int], seed: int) -> Path:
    """Write an image of one colour and much noise."""
    noise = np.random.default_rng(seed).normal(0, 60, (SIDE + 4, SIDE, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((noise + colour).clip(0, 255).astype(np.uint8)).save(path)
    return path


def make_toy_folder(folder: Path, per_class: int = 5) -> Path:
    """Write `<split>/<class>/*.png` for the three splits."""
    seed = 0
    for split in ("train", "val", "test"):
        for name, colour in COLOURS.items():
            for i in range(per_class):
                save_noisy(folder / split / name / f"{i}.png", colour, seed := seed + 1)
    return folder


def read(folder: Path, name: str) -> Any:
    """Return what a run wrote as JSON."""
    return json.loads((folder / name).read_text())


def ignore(progress: Progress, step: int, steps: int, loss: float) -> None:
    """Watch nothing."""


def train(recipe: Recipe, data: Path, folder: Path) -> tuple[Result, Adapter]:
    """Return a run's result and the adapter in its artifact."""
    result = run(recipe, data, folder, ignore)
    assert result.artifact is not None
    return result, decode(result.artifact.read_bytes())


def make_model(backbone: Backbone, recipe: Recipe) -> Classifier:
    """Return a classifier of two classes on the tiny backbone, the same for the same seed."""
    torch.manual_seed(recipe.seed)
    layers = {"spt-deep": 3, "spt-shallow": 1}.get(recipe.method)
    prompts = None if layers is None else torch.randn(layers, 2, 16)
    return build(recipe.method, backbone, 2, prompts, frozen=recipe.prompt.frozen)
