"""The training loop: epochs over batches, a score after each, and a state to resume from.

Knows nothing of datasets' layouts, artifacts or publishing.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.classifier import PromptedClassifier, parameter_groups
from trainer.errors import ResumeError
from trainer.evaluate import accuracy
from trainer.images import Split, batches
from trainer.recipe import Recipe
from trainer.schedule import learning_rate

Forward = Callable[[Tensor], Tensor]


@dataclass
class Progress:
    """What has been reached; saved whole after every epoch."""

    started_at: str
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    val_accuracies: list[float] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.losses)


Watch = Callable[[Progress, int, int, float], None]
"""Called after each step with progress, step, steps per epoch and the running loss."""


def train(
    recipe: Recipe,
    model: PromptedClassifier,
    forward: Forward,
    splits: tuple[Split, Split],
    state: Path,
    watch: Watch,
) -> Progress:
    """Train the model's prompts and head in place, from `state` if a run was interrupted.

    A run that was stopped after any epoch ends with the same numbers as one that was not.

    Args:
        recipe: decides everything.
        model: holds the trainable parameters.
        forward: inputs of the splits to logits; `model` itself, or its head on cached features.
        splits: training and validation set.
        state: file of the resumable state, written atomically after each epoch.
        watch: told of every step.

    Raises:
        ResumeError: `state` belongs to another recipe.
    """
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe.optim))
    progress = _restore(state, recipe, model, optimizer)
    training, validation = splits
    for epoch in range(progress.epochs, recipe.optim.epochs):
        began = time.monotonic()
        torch.manual_seed(recipe.seed * 1_000_003 + epoch)
        loss = _train_epoch(recipe, optimizer, forward, training, (progress, watch))
        progress.losses.append(loss)
        progress.val_accuracies.append(accuracy(forward, validation, recipe.optim.batch_size))
        progress.seconds += time.monotonic() - began
        _keep_best(progress, model)
        _save(state, recipe, model, optimizer, progress)
    if recipe.select == "best-validation":
        model.load_state_dict(progress.best)
    return progress


def _train_epoch(
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    forward: Forward,
    training: Split,
    watched: tuple[Progress, Watch],
) -> float:
    progress, watch = watched
    steps = steps_per_epoch(recipe, training)
    total = 0.0
    for step, (inputs, labels) in enumerate(
        batches(training, recipe.optim.batch_size, shuffle=True)
    ):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(
                progress.epochs * steps + step,
                peak=group["peak"],
                warmup_steps=round(recipe.optim.warmup_epochs * steps),
                total_steps=recipe.optim.epochs * steps,
            )
        logits = forward(inputs)
        loss = F.cross_entropy(logits, labels.to(logits.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        watch(progress, step + 1, steps, total / (step + 1))
    return total / steps


def steps_per_epoch(recipe: Recipe, training: Split) -> int:
    """Return the number of full batches, at least one."""
    return max(1, len(training) // recipe.optim.batch_size)  # type: ignore[arg-type]


def _keep_best(progress: Progress, model: PromptedClassifier) -> None:
    if progress.val_accuracies[-1] >= max(progress.val_accuracies):
        progress.best = {k: v.detach().clone() for k, v in model.state_dict().items()}


def _save(
    path: Path,
    recipe: Recipe,
    model: PromptedClassifier,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    state = {
        "recipe": recipe.model_dump_json(),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": vars(progress),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def _restore(
    path: Path, recipe: Recipe, model: PromptedClassifier, optimizer: torch.optim.Optimizer
) -> Progress:
    if not path.exists():
        return Progress(started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state["recipe"] != recipe.model_dump_json():
        raise ResumeError(
            f"{path} is the state of another recipe: {state['recipe']}, now asked: "
            f"{recipe.model_dump_json()}; start over with --fresh or choose another --out"
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return Progress(**state["progress"])
