"""The state of a run after its last finished epoch: the trainable parts only, written whole."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.errors import ResumeError
from trainer.methods.classifier import Classifier
from trainer.recipe import Recipe


@dataclass
class Progress:
    """What has been reached.

    Attributes:
        losses: mean training loss of each epoch.
        val_accuracies: after each epoch, in [0, 1].
        epoch_seconds: of each epoch, validation included.
        observed: what observers found, by name, before the first epoch and after each.
        best: the trainable parts after the best validation epoch.
        init: facts of how the first prompts were made.
    """

    losses: list[float] = field(default_factory=list)
    val_accuracies: list[float] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)
    observed: dict[str, list[Any]] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    init: dict[str, object] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.losses)


def save(
    path: Path,
    recipe: Recipe,
    model: Classifier,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Write the state in one step: a run killed at any moment leaves the one before."""
    state = {
        "recipe": recipe.model_dump_json(),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": vars(progress),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def restore(
    path: Path, recipe: Recipe, model: Classifier, optimizer: torch.optim.Optimizer
) -> Progress:
    """Put a saved state into model and optimizer, and return how far it had come.

    Raises:
        ResumeError: the state is another recipe's.
    """
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state["recipe"] != recipe.model_dump_json():
        raise ResumeError(
            f"{path} is the state of another recipe: {state['recipe']}, now asked: "
            f"{recipe.model_dump_json()}; start over with --fresh or choose another --out"
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return Progress(**state["progress"])
