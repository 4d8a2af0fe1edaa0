"""The best learning rate and weight decays by the validation split; the test set is not touched."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.store import durable
from trainer.errors import ResumeError
from trainer.experiment.materials import Materials
from trainer.experiment.outcome import selected_accuracy
from trainer.experiment.run import fit
from trainer.recipe import Recipe, overlay
from trainer.training.checkpoint import Progress
from trainer.training.loop import Watch

FILE = "sweep.json"


@dataclass(frozen=True)
class Grid:
    """The values to try: every combination; an empty list keeps the recipe's own value."""

    lr: Sequence[float] = ()
    weight_decay: Sequence[float] = ()
    head_weight_decay: Sequence[float] = ()

    def points(self, recipe: Recipe) -> Iterator[dict[str, float]]:
        """Yield the optimiser's settings, in the order they are tried."""
        names = ("lr", "weight_decay", "head_weight_decay")
        values = [getattr(self, name) or (getattr(recipe.optim, name),) for name in names]
        for point in itertools.product(*values):
            yield dict(zip(names, point, strict=True))


@dataclass(frozen=True)
class Trial:
    """One point of the grid and what it reached."""

    settings: dict[str, float]
    val_accuracy: float
    train_loss: float
    seconds: float


def sweep(
    recipe: Recipe, materials: Materials, grid: Grid, folder: Path, watch: Watch
) -> list[Trial]:
    """Train at every point of the grid and score the validation split after each.

    `sweep.json` in the folder keeps the trials; a sweep that was stopped goes on.

    Raises:
        TrainerError: as `fit`, or the folder holds the sweep of another recipe.
    """
    done = _read(recipe, folder)
    trials = []
    for settings in grid.points(recipe):
        key = json.dumps(settings)
        if key not in done:
            place = trial_folder(folder, settings)
            _, progress = fit(with_settings(recipe, settings), materials, place, watch)
            done[key] = _trial(recipe, settings, progress)
            _write(recipe, folder, done)
        trials.append(done[key])
    return trials


def trial_folder(folder: Path, settings: dict[str, float]) -> Path:
    """Return the run folder of one point of the grid."""
    return folder / "-".join(f"{name}={value:g}" for name, value in settings.items())


def best_of(trials: Sequence[Trial]) -> Trial:
    """Return the trial of the highest validation accuracy; of equals, that of the lowest loss."""
    return max(trials, key=lambda trial: (trial.val_accuracy, -trial.train_loss))


def with_settings(recipe: Recipe, settings: dict[str, float]) -> Recipe:
    """Return the recipe with other settings of the optimiser."""
    return Recipe.model_validate(overlay(recipe.model_dump(), {"optim": settings}))


def _trial(recipe: Recipe, settings: dict[str, float], progress: Progress) -> Trial:
    return Trial(
        settings,
        selected_accuracy(recipe, progress),
        progress.losses[-1],
        round(sum(progress.epoch_seconds), 1),
    )


def _read(recipe: Recipe, folder: Path) -> dict[str, Trial]:
    content = durable.bytes_or_none(folder / FILE)
    if content is None:
        return {}
    document = json.loads(content)
    if document["recipe"] != recipe.model_dump(mode="json"):
        raise ResumeError(
            f"{folder / FILE} is the sweep of another recipe; "
            "start over with --fresh or choose another --out"
        )
    trials = [Trial(**trial) for trial in document["trials"]]
    return {json.dumps(trial.settings): trial for trial in trials}


def _write(recipe: Recipe, folder: Path, done: dict[str, Trial]) -> None:
    trials = [vars(trial) for trial in done.values()]
    document = {"recipe": recipe.model_dump(mode="json"), "trials": trials}
    durable.write(folder / FILE, json.dumps(document, indent=1).encode())
