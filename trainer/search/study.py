"""A search: trials proposed by Optuna, stopped by successive halving, and kept in a journal.

Each trial is a run of its own, scored on the validation split after every epoch. The proposals of
a trial depend on the recipe's seed and on the trials before it. So a search that was interrupted
proposes what another would have.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from adapters.store import durable
from trainer.errors import RecipeError, TrainingError
from trainer.experiment.identity import identity_of
from trainer.experiment.materials import Materials
from trainer.experiment.outcome import selected_score
from trainer.experiment.run import fit
from trainer.recipe import Recipe
from trainer.search.kept import BEST, JOURNAL, check_same_search, trial_place
from trainer.search.space import Axis, read_space, with_values
from trainer.sweeping.sweep import check_chooses
from trainer.training.checkpoint import Progress
from trainer.training.loop import EpochWatch, Watch

REDUCTION: Final = 3
"""Of the trials that reach a rung, one in so many goes on; the next rung is as much later."""

_RUNGS: Final = 2
_ENDED: Final = (TrialState.COMPLETE, TrialState.PRUNED)
_NAMES: Final = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "stopped"}


@dataclass(frozen=True)
class Point:
    """One trial.

    Attributes:
        number: in the order they began, from 0.
        settings: by their dotted keys.
        state: `stopped` by successive halving, or since its loss was no number.
        epochs: that were scored.
        val_accuracy: of the weights that are kept, or the last one scored; None before the first.
        train_loss: of the last epoch; None if it was stopped.
    """

    number: int
    settings: dict[str, Any]
    state: Literal["finished", "stopped"]
    epochs: int
    val_accuracy: float | None
    train_loss: float | None


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        recipe: what all trials share.
        space: texts as in `space`.
        trials: how many, those of earlier calls among them.
        folder: of this search alone.
    """

    recipe: Recipe
    space: Sequence[str]
    trials: int
    folder: Path


def search(asked: Search, materials: Materials, watch: Watch) -> list[Point]:
    """Return all trials, once there are as many as asked; leaves the best one's recipe.

    Raises:
        RecipeError: no recipe can have a value of the space, or the test set would be looked at.
        ResumeError: the folder holds another search.
        TrainingError: no trial could be finished.
        TrainerError: as `fit`.
    """
    recipe, folder = asked.recipe, asked.folder
    if recipe.report.test_each_epoch:
        raise RecipeError("a search never looks at the test set; leave out report.test_each_epoch")
    check_chooses(recipe)
    axes = read_space(asked.space, recipe)
    check_same_search(folder, identity_of(recipe, materials), asked.space)
    study = _study(recipe, folder)
    while len(study.get_trials(deepcopy=False, states=_ENDED)) < asked.trials:
        _try_one(study, asked, axes, materials, watch)
    points = [_point(trial) for trial in study.get_trials(states=_ENDED)]
    best = with_values(recipe, best_of(points).settings)
    durable.write(folder / BEST, best.model_dump_json(indent=2).encode())
    return points


def best_of(points: Sequence[Point]) -> Point:
    """Return the finished trial of the highest accuracy.

    Of equals, that of the smallest rate, then of the lowest loss.

    Raises:
        TrainingError: none was finished.
    """
    finished = [point for point in points if point.state == "finished"]
    if not finished:
        raise TrainingError(
            "no trial of the search could be finished: in all of them the loss was no number; "
            "search lower rates, see --vary"
        )
    return min(
        finished,
        key=lambda one: (
            -(one.val_accuracy or 0.0),
            one.settings.get("optim.lr", 0.0),
            one.train_loss or 0.0,
        ),
    )


def _study(recipe: Recipe, folder: Path) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    least = max(1, recipe.optim.epochs // REDUCTION**_RUNGS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.create_study(
            study_name="search",
            storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
            pruner=SuccessiveHalvingPruner(min_resource=least, reduction_factor=REDUCTION),
            direction="maximize",
            load_if_exists=True,
        )


def _next_trial(study: optuna.Study) -> optuna.Trial:
    """Return what was running when a process ended, whose run goes on from its state; or a new one.

    Optuna has no public way back to a running trial; its class takes the storage's number.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return optuna.Trial(study, running[0]._trial_id) if running else study.ask()


def _try_one(
    study: optuna.Study, asked: Search, axes: Sequence[Axis], materials: Materials, watch: Watch
) -> None:
    ended = len(study.get_trials(deepcopy=False, states=_ENDED))
    study.sampler = TPESampler(seed=asked.recipe.seed * 1_000_003 + ended)
    trial = _next_trial(study)
    settings = {axis.key: _suggested(trial, axis) for axis in axes}
    recipe = with_values(asked.recipe, settings)
    place = trial_place(asked.folder, settings)
    try:
        halving = _halving(trial, study.trials[trial.number], recipe.optim.epochs)
        _, progress = fit(recipe, materials, place, watch, halving)
    except (optuna.TrialPruned, TrainingError):
        study.tell(trial, state=TrialState.PRUNED)
        return
    trial.set_user_attr("train_loss", progress.losses[-1])
    trial.set_user_attr("epochs", progress.epochs)
    study.tell(trial, selected_score(recipe, progress))


def _suggested(trial: optuna.Trial, axis: Axis) -> Any:
    if not axis.is_range:
        return trial.suggest_categorical(axis.key, axis.values)
    suggest: Callable[..., Any] = trial.suggest_int if axis.is_whole else trial.suggest_float
    return suggest(axis.key, *axis.values, log=axis.is_log)


def _halving(trial: optuna.Trial, known: FrozenTrial, epochs: int) -> EpochWatch:
    """Return what tells Optuna of each epoch's score, and ends a trial that is behind others."""
    told = set(known.intermediate_values)

    def watch(progress: Progress) -> None:
        for epoch, score in enumerate(progress.val_accuracies, 1):
            if epoch not in told:
                told.add(epoch)
                trial.report(score, epoch)
        if progress.epochs < epochs and trial.should_prune():
            raise optuna.TrialPruned

    return watch


def _point(trial: FrozenTrial) -> Point:
    scores = trial.intermediate_values
    is_finished = trial.state == TrialState.COMPLETE
    last = scores[max(scores)] if scores else None
    return Point(
        trial.number,
        trial.params,
        "finished" if is_finished else "stopped",
        trial.user_attrs.get("epochs", max(scores, default=0)),
        trial.value if is_finished else last,
        trial.user_attrs.get("train_loss"),
    )
