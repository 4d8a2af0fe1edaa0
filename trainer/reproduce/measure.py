"""Run what a study needs, each run once: choose on the validation split, then train the seeds.

Everything is kept in folders, so that a study which was stopped goes on where it was.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapters.store import durable
from trainer.errors import RecipeError, ResumeError
from trainer.experiment.identity import identity_of
from trainer.experiment.materials import Materials, prepare
from trainer.experiment.run import finish, fit
from trainer.recipe import Recipe, overlay
from trainer.reproduce.grids import with_published
from trainer.reproduce.sources import WEIGHTS_FILE, sources_of
from trainer.reproduce.variant import Cell, Variant
from trainer.sweeping.grid import Grid, best_of
from trainer.sweeping.sweep import sweep, trial_folder, with_settings
from trainer.training.identity import Identity, described
from trainer.training.loop import Watch

CELL = "cell.json"
METRICS = "metrics.json"
Title = Callable[[str, int], Watch]
"""Announces a run and its epochs, and returns what watches it."""


@dataclass(frozen=True)
class Bench:
    """Where and on what a study is measured.

    Attributes:
        common: recipe fields of all variants: backbone, weights, epochs.
        folder: every run has its folder in it.
        data: folder of the tasks' folders; None for built-in tasks.
        seeds: 0 to this number are trained.
        announce: told of every run.
    """

    common: dict[str, Any]
    folder: Path
    data: Path | None
    seeds: int
    announce: Title
    _materials: dict[str, Materials] = field(default_factory=dict)
    _sources: dict[str, Identity] = field(default_factory=dict)

    def materials(self, recipe: Recipe) -> Materials:
        """Return images and backbone, prepared once for all recipes that share them."""
        shared = _shared(recipe)
        if shared not in self._materials:
            self._materials.clear()  # one backbone in memory at a time
            # one split for all seeds, whichever of them is trained first after an interruption
            self._materials[shared] = prepare(
                recipe.model_copy(update={"seed": 0}), self._folder(recipe.task)
            )
        return self._materials[shared]

    def sources(self, recipe: Recipe) -> Identity:
        """Return what a cell is of as far as files tell: images, weights, and this code."""
        shared = _shared(recipe)
        if shared not in self._sources:
            self._sources[shared] = sources_of(recipe, self._folder(recipe.task))
        return self._sources[shared]

    def _folder(self, task: str) -> Path | None:
        folder = None if self.data is None else self.data / task
        return folder if folder and folder.exists() else None


def _shared(recipe: Recipe) -> str:
    """Return what decides images and backbone."""
    return recipe.model_dump_json(
        include={"task", "backbone", "weights", "image_size", "pooling", "final_norm", "pixels"}
        | {"data_proportion", "data"}
    )


def measure(bench: Bench, tasks: Sequence[str], variants: Sequence[Variant]) -> Iterator[Cell]:
    """Yield the cell of every task and variant, from its folder where it has been measured.

    Raises:
        ResumeError: a cell is of other images, another backbone or another version of this code.
        TrainerError: as the trainer's `run`.
    """
    for task in tasks:
        chosen: dict[str, dict[str, float]] = {}
        for variant in variants:
            cell = _read(bench, task, variant) or _measure(bench, task, variant, chosen)
            chosen[variant.name] = cell.chosen
            yield cell


def first_run(bench: Bench, task: str, variant: Variant) -> Path:
    """Return the run folder of seed 0 of a variant that has been measured."""
    folder = _folder(bench, task, variant.name)
    cell = json.loads((folder / CELL).read_bytes())["cell"]
    again = _trains_again(variant.recipe(bench.common, task, 0))
    return _first_run(folder, cell["trials"], cell["chosen"], again=again)


def _trains_again(recipe: Recipe) -> bool:
    """Return whether what was chosen is trained again: on more images, or with test scores."""
    return recipe.data.train_on != "train" or recipe.report.test_each_epoch


def _first_run(
    folder: Path, trials: Sequence[object], chosen: dict[str, float], *, again: bool
) -> Path:
    """Return where seed 0 is: the trial that was chosen is that run, unless it is trained again."""
    return trial_folder(folder / "sweep", chosen) if trials and not again else folder / "seed-0"


def _choosing(recipe: Recipe) -> Recipe:
    """Return the recipe to choose by: no validation image is trained on, no test image seen."""
    blind = {"data": {"train_on": "train"}, "report": {"test_each_epoch": False}}
    tree = overlay(recipe.model_dump(), blind)
    return Recipe.model_validate(tree)


def _measure(
    bench: Bench, task: str, variant: Variant, chosen: dict[str, dict[str, float]]
) -> Cell:
    folder = _folder(bench, task, variant.name)
    folder.mkdir(parents=True, exist_ok=True)
    first = variant.recipe(bench.common, task, 0)
    again = _trains_again(first)
    trials: list[dict[str, Any]] = []
    if variant.like is None:
        watch = bench.announce(f"{task} {variant.name} choosing", first.optim.epochs)
        grid, choosing = with_published(variant.grid, first), _choosing(first)
        found = sweep(choosing, bench.materials(choosing), grid, folder / "sweep", watch)
        best = best_of(found).settings
        trials = [asdict(trial) for trial in found]
    else:
        best = chosen.get(variant.like) or _chosen_before(bench, task, variant)
    runs = []
    for seed in range(bench.seeds):
        own = folder / f"seed-{seed}"
        place = own if seed else _first_run(folder, trials, best, again=again)
        recipe = with_settings(first.model_copy(update={"seed": seed}), best)
        runs.append(_run(bench, variant.name, recipe, place))
    cell = Cell(
        task,
        variant.name,
        chosen=best,
        trials=trials,
        val_accuracies=(
            [trial["val_accuracy"] for trial in trials if trial["settings"] == best]
            if first.data.train_on != "train"
            else [run["val_accuracy"] for run in runs]
        ),
        test_accuracies=[run["test_accuracy"] for run in runs],
        parts=runs[0]["parts"],
        seconds=[run["train_seconds"] for run in runs],
        init=runs[0]["init"],
        observed=runs[0]["observed"],
        device=runs[0]["device"],
        versions={name: version(name) for name in ("torch", "timm")},
        train_images=runs[0]["train_images"],
    )
    content = {
        "asked": _asked(bench, task, variant),
        "identity": _identity(bench, first),
        "cell": asdict(cell),
    }
    durable.write(folder / CELL, json.dumps(content, indent=1).encode())
    return cell


def _run(bench: Bench, variant: str, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train one seed and return its metrics; a run that is finished is only read."""
    title = f"{recipe.task} {variant} seed {recipe.seed}"
    watch = bench.announce(title, recipe.optim.epochs)
    materials = bench.materials(recipe)
    trained = fit(recipe, materials, folder, watch)
    was_finished = trained[1].restored == trained[1].epochs
    if not (was_finished and (folder / METRICS).exists()):
        finish(recipe, materials, trained, folder)
    metrics: dict[str, Any] = json.loads((folder / METRICS).read_bytes())
    return metrics | {"observed": trained[1].observed}


def _chosen_before(bench: Bench, task: str, variant: Variant) -> dict[str, float]:
    """Return what was chosen for the variant that this one follows, in an earlier call."""
    like = str(variant.like)
    document = _document(bench, task, like)
    if document is None:
        raise RecipeError(
            f"{variant.name} takes the settings of {like}, which has not been measured on "
            f"{task}; measure it first, or add it: --variants {like} {variant.name}"
        )
    _check_same(bench, variant.recipe(bench.common, task, 0), document, like)
    chosen: dict[str, float] = document["cell"]["chosen"]
    return chosen


def _asked(bench: Bench, task: str, variant: Variant) -> dict[str, Any]:
    recipe = variant.recipe(bench.common, task, 0)
    return {
        "recipe": recipe.model_dump(mode="json"),
        "grid": _grid(with_published(variant.grid, recipe)),
        "like": variant.like,
        "seeds": bench.seeds,
    }


def _read(bench: Bench, task: str, variant: Variant) -> Cell | None:
    """Return the cell that was measured under the same settings, of the same things."""
    document = _document(bench, task, variant.name)
    now = json.loads(json.dumps(_asked(bench, task, variant)))
    if document is None or _as_today(document["asked"]) != now:
        return None
    _check_same(bench, variant.recipe(bench.common, task, 0), document, variant.name)
    return Cell(**document["cell"])


def _grid(grid: Grid) -> dict[str, Any]:
    """Return what is varied; an earlier cell does not name what could not be varied then."""
    newer = ("head_lr", "also", "goes_on")
    return {name: values for name, values in asdict(grid).items() if values or name not in newer}


def _document(bench: Bench, task: str, variant: str) -> dict[str, Any] | None:
    """Return what a cell's file holds.

    None for one that does not say of what it is, as an earlier version left it: its runs say it.
    """
    path = _folder(bench, task, variant) / CELL
    document = read_cell(path) if path.exists() else {}
    return document if "identity" in document else None


def read_cell(path: Path) -> dict[str, Any]:
    """Return what the file of a cell holds: what was `asked`, the `cell`, and what it is of.

    Raises:
        ResumeError: it is damaged, or of another version of this program.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        Cell(**document["cell"])
        document["asked"]["recipe"]
    except (ValueError, TypeError, KeyError) as error:
        raise ResumeError(
            f"{path} is damaged, or of another version of this program; delete it, and the cell "
            "is made from its runs again"
        ) from error
    return document


def _identity(bench: Bench, recipe: Recipe) -> Identity:
    """Return what a cell is of: images and backbone by content, the files, the code's version."""
    identity = identity_of(recipe, bench.materials(recipe))
    settings = recipe.provenance().keys()  # which are in what was asked
    found = {key: value for key, value in identity.items() if key not in settings}
    return {**found, **bench.sources(recipe)}


def _check_same(bench: Bench, recipe: Recipe, document: dict[str, Any], variant: str) -> None:
    """Refuse a cell of other images, another backbone or another version of this code.

    Raises:
        ResumeError: naming what differs.
    """
    before, files = document["identity"], json.loads(json.dumps(bench.sources(recipe)))
    if all(before.get(key) == value for key, value in files.items()):
        return  # the backbone needs not be loaded
    now = json.loads(json.dumps(_identity(bench, recipe)))
    now[WEIGHTS_FILE] = before.get(WEIGHTS_FILE)  # the same weights may lie in another file
    if differs := described(before, now):
        folder = _folder(bench, recipe.task, variant)
        raise ResumeError(
            f"{folder / CELL}: this was measured with {differs}; choose another --out, or delete "
            f"{folder}"
        )


def _as_today(asked: dict[str, Any]) -> dict[str, Any]:
    """Fill in what recipes of that time did not have yet, so that a new field voids no cell."""
    try:
        recipe = Recipe.model_validate(asked["recipe"]).model_dump(mode="json")
    except ValidationError:
        return asked
    return asked | {"recipe": recipe}


def _folder(bench: Bench, task: str, variant: str) -> Path:
    return bench.folder / task / variant
