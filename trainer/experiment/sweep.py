"""The best rates and weight decays by the validation split; the test set is not touched."""

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.store import durable
from trainer.errors import ResumeError
from trainer.experiment.folder import forget, is_run
from trainer.experiment.identity import identity_of
from trainer.experiment.materials import Materials
from trainer.experiment.outcome import selected_score
from trainer.experiment.run import fit
from trainer.recipe import Recipe, overlay
from trainer.training.checkpoint import START_OVER, Progress
from trainer.training.identity import Identity, described
from trainer.training.loop import Watch

FILE = "sweep.json"


@dataclass(frozen=True)
class Grid:
    """The values to try: every combination; an empty list keeps the recipe's own value."""

    lr: Sequence[float] = ()
    weight_decay: Sequence[float] = ()
    head_weight_decay: Sequence[float] = ()
    head_lr: Sequence[float] = ()

    def points(self, recipe: Recipe) -> Iterator[dict[str, float]]:
        """Yield the optimiser's settings, in the order they are tried.

        The head's rate is none of them unless it is varied: by default it follows `lr`.
        """
        names = ["lr", "weight_decay", "head_weight_decay", *(["head_lr"] if self.head_lr else [])]
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
        TrainerError: as `fit`, or the folder holds the sweep of another recipe, other data or
            another backbone.
    """
    identity = identity_of(recipe, materials)
    done = _read(identity, folder)
    trials = []
    for settings in grid.points(recipe):
        key = json.dumps(settings)
        if key not in done:
            place = trial_folder(folder, settings)
            _, progress = fit(with_settings(recipe, settings), materials, place, watch)
            done[key] = _trial(recipe, settings, progress)
            _write(identity, folder, done)
        trials.append(done[key])
    return trials


def forget_sweep(folder: Path) -> None:
    """Delete what a sweep left in a folder, to start over; whatever else is there stays.

    Raises:
        ResumeError: the folder holds files, and nothing of a sweep.
    """
    runs = [place for place in folder.glob("*=*") if is_run(place) and not place.is_symlink()]
    if not runs and not (folder / FILE).is_file() and folder.is_dir() and any(folder.iterdir()):
        raise ResumeError(
            f"{folder}: --fresh deletes only what a sweep left, and there is none; choose another "
            "--out"
        )
    for place in runs:
        forget(place)
        with suppress(OSError):  # somebody's files are in it
            place.rmdir()
    (folder / FILE).unlink(missing_ok=True)


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
        selected_score(recipe, progress),
        progress.losses[-1],
        round(sum(progress.epoch_seconds), 1),
    )


def _read(identity: Identity, folder: Path) -> dict[str, Trial]:
    content = durable.bytes_or_none(folder / FILE)
    if content is None:
        return {}
    try:
        document = json.loads(content)
        differs = described(document["identity"], identity)
        trials = [Trial(**trial) for trial in document["trials"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ResumeError(
            f"{folder / FILE} is damaged, or of another version of this program; {START_OVER}"
        ) from error
    if differs:
        raise ResumeError(f"{folder / FILE}: this sweep was trained with {differs}; {START_OVER}")
    return {json.dumps(trial.settings): trial for trial in trials}


def _write(identity: Identity, folder: Path, done: dict[str, Trial]) -> None:
    trials = [vars(trial) for trial in done.values()]
    document = {"identity": identity, "trials": trials}
    durable.write(folder / FILE, json.dumps(document, indent=1).encode())
