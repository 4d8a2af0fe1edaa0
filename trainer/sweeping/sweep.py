"""The best rates and weight decays by the validation split; the test set is not touched."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Final

from adapters.store import durable
from trainer.errors import RecipeError, ResumeError
from trainer.experiment.folder import forget, is_run
from trainer.experiment.identity import identity_of
from trainer.experiment.materials import Materials
from trainer.experiment.outcome import selected_score
from trainer.experiment.run import fit
from trainer.recipe import Recipe, overlay
from trainer.sweeping.grid import Grid, Settings, Trial, best_of
from trainer.training.checkpoint import START_OVER, Progress
from trainer.training.identity import Identity, described
from trainer.training.loop import Watch

FILE: Final = "sweep.json"
MOST_BEYOND: Final = 16
"""Points that a sweep tries beyond its grid."""


def sweep(
    recipe: Recipe, materials: Materials, grid: Grid, folder: Path, watch: Watch
) -> list[Trial]:
    """Train at every point of the grid, and beyond it where the grid says so.

    Each run scores the validation split. `sweep.json` in the folder keeps the trials; a sweep that
    was stopped goes on. Beyond the grid at most 16 points are tried.

    Raises:
        TrainerError: as `fit`, or the folder holds the sweep of another recipe, other data or
            another backbone.
    """
    check_chooses(recipe)
    kept = _Kept(recipe, materials, folder, watch)
    trials = [kept.trial(settings) for settings in grid.points(recipe)]
    inside = len(trials)
    while True:
        tried = [trial.settings for trial in trials]
        further = grid.beyond(best_of(trials).settings, tried)
        further = further[: inside + MOST_BEYOND - len(trials)]
        if not further:
            return trials
        trials += [kept.trial(settings) for settings in further]


def check_chooses(recipe: Recipe) -> None:
    """Refuse to choose by images that are trained on.

    Raises:
        RecipeError: the recipe trains on the validation images.
    """
    if recipe.data.train_on == "train-and-val":
        raise RecipeError(
            "data.train_on=train-and-val leaves no images to choose by; leave it out here, and "
            "give it to train with what is chosen"
        )


class _Kept:
    """Trials by their settings: those of an earlier call, and new ones, which are written down."""

    def __init__(self, recipe: Recipe, materials: Materials, folder: Path, watch: Watch) -> None:
        self._recipe, self._materials = recipe, materials
        self._folder, self._watch = folder, watch
        self._identity = identity_of(recipe, materials)
        self._done = _read(self._identity, folder)

    def trial(self, settings: Settings) -> Trial:
        """Return the trial of these settings, trained now unless it was before."""
        key = json.dumps(settings)
        if key not in self._done:
            place, recipe = trial_folder(self._folder, settings), self._recipe
            _, progress = fit(with_settings(recipe, settings), self._materials, place, self._watch)
            self._done[key] = _trial(recipe, settings, progress)
            _write(self._identity, self._folder, self._done)
        return self._done[key]


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


def trial_folder(folder: Path, settings: Settings) -> Path:
    """Return the run folder of one point of the grid."""
    return folder / "-".join(f"{name}={value:g}" for name, value in settings.items())


def with_settings(recipe: Recipe, settings: Settings) -> Recipe:
    """Return the recipe with other settings of the optimiser."""
    return Recipe.model_validate(overlay(recipe.model_dump(), {"optim": settings}))


def _trial(recipe: Recipe, settings: Settings, progress: Progress) -> Trial:
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
