"""What a service is told of a run, and which services a recipe asks for."""

import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol, runtime_checkable

from adapters.artifact.task import SINGLE_LABEL
from trainer.errors import RecipeError, TrainingError
from trainer.recipe import Recipe
from trainer.training.checkpoint import Progress

_log = logging.getLogger(__name__)


@runtime_checkable
class Tracker(Protocol):
    """One service, for the length of one run."""

    def started(self, recipe: Recipe, folder: Path) -> None:
        """Begin, or go on with what an interrupted run in this folder has begun."""

    def epoch(self, number: int, values: Mapping[str, float]) -> None:
        """Take the numbers of a finished epoch, from 1. One may be told twice, with equal ones."""

    def finished(self, metrics: Mapping[str, float] | None) -> None:
        """Take the run's scores; None says that it ended before it had any."""


class Tracking:
    """All services of one run, as one.

    One that cannot begin ends the run before it is trained. One that fails later is told no more,
    and the training goes on.

    Args:
        trackers: by name.
        score: what the score of an epoch is called.
    """

    def __init__(self, trackers: Mapping[str, Tracker], score: str = "val_accuracy") -> None:
        self._trackers = dict(trackers)
        self._score = score

    def started(self, recipe: Recipe, folder: Path) -> None:
        """See `Tracker.started`.

        Raises:
            TrainingError: a service refuses, or cannot be reached.
        """
        for name, tracker in self._trackers.items():
            try:
                tracker.started(recipe, folder)
            except Exception as error:  # each service has its own errors
                raise TrainingError(
                    f"report.{name}: {name} cannot be told of the run ({_in_words(error)}); check "
                    f"its settings, or leave report.{name} out"
                ) from error

    def epoch(self, progress: Progress) -> None:
        """Tell of the last epoch."""
        values = {"train_loss": progress.losses[-1], self._score: progress.val_accuracies[-1]}
        self._tell(lambda tracker: tracker.epoch(progress.epochs, values))

    def finished(self, metrics: Mapping[str, float] | None) -> None:
        """See `Tracker.finished`."""
        self._tell(lambda tracker: tracker.finished(metrics))

    def _tell(self, what: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                what(tracker)
            except Exception as error:
                del self._trackers[name]
                _log.warning("warning: %s is told no more: %s", name, _in_words(error))


def tracking_of(recipe: Recipe) -> Tracking:
    """Return the services that the recipe's report part names, each with its package loaded.

    Raises:
        RecipeError: a package is not installed.
    """
    found: dict[str, Tracker] = {}
    for name in ("wandb", "mlflow"):
        if asked := getattr(recipe.report, name):
            make: Callable[[ModuleType, str], Tracker]
            make = import_module(f"trainer.tracking.{name}_service").make
            found[name] = make(_package(name), asked)
    has_classes = recipe.target in (SINGLE_LABEL, "ordinal")
    return Tracking(found, "val_accuracy" if has_classes else "val_score")


def run_name(recipe: Recipe) -> str:
    """Return what people read of a run in a service."""
    return f"{recipe.task} {recipe.method} seed {recipe.seed}"


def _package(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise RecipeError(
            f"report.{name} is set, but the package {name} is not installed; "
            f"pip install 'spt-serving[{name}]', or leave report.{name} out"
        ) from error


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
