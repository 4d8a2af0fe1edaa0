"""The state of a run after its last finished epoch: the trainable parts only, written whole."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.errors import OutputError, ResumeError
from trainer.methods.classifier import Classifier
from trainer.training.identity import Identity, described

START_OVER = "start over with --fresh (make: FRESH=1) or choose another --out"


@dataclass
class Progress:
    """What has been reached.

    Attributes:
        losses: mean training loss of each epoch.
        val_accuracies: the objective's validation score after each epoch, 1 at most.
        epoch_seconds: of each epoch, validation included.
        observed: what observers found, by name, before the first epoch and after each.
        best: the trainable parts after the best validation epoch, as they were scored.
        average: of the trainable parts over steps; empty where nothing is averaged.
        init: facts of how the first prompts were made.
        restored: epochs that were finished when this process began.
    """

    losses: list[float] = field(default_factory=list)
    val_accuracies: list[float] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)
    observed: dict[str, list[Any]] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    init: dict[str, object] = field(default_factory=dict)
    restored: int = 0

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.losses)


def save(
    path: Path,
    identity: Identity,
    model: Classifier,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Write the state in one step: a run killed at any moment leaves the one before.

    Raises:
        OutputError: the disk is full or refuses.
    """
    state = {
        "identity": identity,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": vars(progress),
    }
    partial = path.with_suffix(".partial")
    try:
        torch.save(state, partial)
    except RuntimeError as error:  # torch's own writer has no OSError
        raise OutputError(
            f"{partial} cannot be written ({_reason(error)}); make room on the disk, and run the "
            "same command again to go on from the epoch before"
        ) from error
    os.replace(partial, path)


def read(path: Path, identity: Identity) -> Mapping[str, Any]:
    """Return a saved state, which is of the same run.

    Raises:
        ResumeError: it is damaged or no state of ours, or that of a run on other data, another
            backbone or another recipe; says what differs.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        parts = {key: state[key] for key in ("model", "optimizer", "progress")}
        differs = described(state["identity"], identity)
    except Exception as error:  # torch raises nearly anything on damaged files
        raise _damaged(path, error) from error
    if differs:
        raise ResumeError(f"{path}: this run was trained with {differs}; {START_OVER}")
    return parts


def restore(
    path: Path, identity: Identity, model: Classifier, optimizer: torch.optim.Optimizer
) -> Progress:
    """Put a saved state into model and optimizer, and return how far it had come.

    Raises:
        ResumeError: as `read`.
    """
    state = read(path, identity)
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        reached = Progress(**state["progress"])
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise _damaged(path, error) from error
    reached.restored = reached.epochs
    return reached


def _damaged(path: Path, error: Exception) -> ResumeError:
    return ResumeError(
        f"{path} is damaged, or of another version of this program ({_reason(error)}); {START_OVER}"
    )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:80]}".rstrip(": ")
