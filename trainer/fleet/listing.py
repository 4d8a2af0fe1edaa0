"""From a file of tasks to jobs. All that is wrong in it is told at once, before a training.

Each table of `[tasks]` has what `spt train` takes; `[defaults]` is under all of them.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.errors import BackboneUnsupported
from adapters.suggestions import did_you_mean
from adapters.vit.architecture import create_trunk
from trainer.data.known import BUILTIN_NAMES, DATA_ROOT, meant
from trainer.errors import RecipeError
from trainer.fleet.job import Job
from trainer.fleet.kept import run_place
from trainer.recipe import Recipe, overlay
from trainer.recipe_file import load_recipe

_SECTIONS: Final = ("defaults", "tasks")
_PATTERN: Final = re.compile(r"[*?\[{]")
_PLACES: Final = ("data", "weights", "recipe")


class TaskTable(BaseModel):
    """What a task's table may have: the options of `spt train` that decide its run."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    data: str | None = None
    backbone: str | None = None
    weights: str | None = None
    image_size: int | None = None
    method: str | None = None
    target: str | None = None
    seed: int | None = None
    recipe: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)

    def place(self, key: str) -> Path | None:
        """Return the path that a key names, in the user's home where it begins with `~`."""
        text = getattr(self, key)
        return None if text is None else Path(text).expanduser()


class Fault(NamedTuple):
    """What is wrong with a key of a task."""

    task: str
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.task, self.key, self.message)))


def read_jobs(file: Path, folder: Path, *, fresh: bool = False) -> tuple[list[Job], list[Fault]]:
    """Return a job for each task of a file, in its order, and every fault that is in it.

    Args:
        file: TOML.
        folder: of the fleet.
        fresh: whether the runs start over.

    Raises:
        RecipeError: the file cannot be read, is no TOML, or has no task.
    """
    tree = _tree(file)
    jobs, faults = [], [*_strange_sections(tree)]
    defaults = _table(tree.get("defaults", {}), "defaults", faults)
    tasks = _table(tree.get("tasks", {}), "tasks", faults)
    if not tasks and not faults:
        raise RecipeError(f"{file}: expected a table [tasks.NAME] for each task, found none")
    for task, own in tasks.items():
        found: list[Fault] = []
        table = _task_table(task, defaults, _table(own, task, found), found)
        if table is not None:
            recipe = _recipe(task, table, found)
            found += _missing(task, table)
            if recipe is not None and not found:
                jobs.append(Job(recipe, table.place("data"), run_place(folder, task), fresh))
        faults += [_placed(fault, defaults, own) for fault in found]
    return jobs, list(dict.fromkeys(faults))


def _placed(fault: Fault, defaults: Any, own: Any) -> Fault:
    """Return a fault of a task, or of the defaults if the key is theirs alone."""
    of_defaults = _has(defaults, fault.key) and not _has(own, fault.key)
    return fault._replace(task="defaults") if of_defaults else fault


def _has(table: Any, key: str) -> bool:
    """Return whether a table has a dotted key, or a value on the way to it."""
    if not key or not isinstance(table, dict):
        return False
    first, _, rest = key.partition(".")
    inner = table.get(first)
    return first in table and (not rest or not isinstance(inner, dict) or _has(inner, rest))


def _tree(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"{file} cannot be read as a list of tasks ({error}); expected TOML with a table "
            "[tasks.NAME] for each task"
        ) from error


def _strange_sections(tree: Mapping[str, Any]) -> Iterator[Fault]:
    for name in tree.keys() - set(_SECTIONS):
        yield Fault(
            name, "", f"expected [defaults] and [tasks.NAME] alone, found {name!r}; did you mean "
            f"[tasks.{name}]?"
        )  # fmt: skip


def _table(value: Any, where: str, faults: list[Fault]) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    faults.append(Fault(where, "", f"expected a table, found {value!r}"))
    return {}


def _task_table(
    task: str, defaults: dict[str, Any], own: dict[str, Any], faults: list[Fault]
) -> TaskTable | None:
    try:
        return TaskTable.model_validate(overlay(defaults, own))
    except ValidationError as error:
        faults += _faults(task, error, TaskTable)
        return None


def _recipe(task: str, table: TaskTable, faults: list[Fault]) -> Recipe | None:
    chosen = table.model_dump(exclude={"data", "recipe", "set", "weights"}, exclude_none=True)
    strange = [key for key in table.set if key == "task" or key not in Recipe.model_fields]
    faults += [Fault(task, f"set.{key}", _unknown(key, Recipe)) for key in strange]
    known = {key: value for key, value in table.set.items() if key not in strange}
    asked = overlay(chosen | {"weights": table.place("weights")}, known)
    try:
        recipe = load_recipe(task, (), table.place("recipe"), **asked)
    except RecipeError as error:
        cause = error.__cause__
        if isinstance(cause, ValidationError):
            faults += _faults(task, cause, Recipe, chosen)
        else:
            faults.append(Fault(task, "recipe", str(error)))
        return None
    if refusal := _refusal(recipe.backbone, recipe.image_size):
        faults.append(Fault(task, "backbone", refusal))
    return recipe


@cache
def _refusal(backbone: str, image_size: int | None) -> str:
    """Return why no run can have this backbone, without its weights."""
    try:
        with torch.random.fork_rng(devices=()):
            create_trunk(backbone, image_size)
    except BackboneUnsupported as error:
        return str(error)
    return ""


def _missing(task: str, table: TaskTable) -> Iterator[Fault]:
    """Yield the files that are named and not there; the images themselves are a run's to check."""
    for key in _PLACES:
        place = table.place(key)
        if place is not None and not _PATTERN.search(str(place)) and not place.exists():
            yield Fault(task, key, f"expected a file or a folder, found nothing at {place}")
    if task in BUILTIN_NAMES:
        if table.data is not None:
            yield Fault(
                task, "data", f"expected none for a built-in task, found {table.data!r}; leave it "
                "out here and in [defaults], or give your task another name"
            )  # fmt: skip
    elif table.data is None and not (DATA_ROOT / task).exists():
        yield Fault(
            task, "data", f"expected the place of its images, found none, and nothing at "
            f"{DATA_ROOT / task}{meant(task)}"
        )  # fmt: skip


def _faults(
    task: str, error: ValidationError, model: type[BaseModel], chosen: Mapping[str, Any] = {}
) -> Iterator[Fault]:
    for one in error.errors():
        key = ".".join(map(str, one["loc"]))
        if model is Recipe and key and key != "task" and one["loc"][0] not in chosen:
            key = f"set.{key}"
        message = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            message = _unknown(str(one["loc"][-1]), model if len(one["loc"]) == 1 else None)
        elif one["type"] != "value_error":
            message = f"{message.replace('Input should be', 'expected')}, found {one['input']!r}"
        yield Fault(task, key, message)


def _unknown(key: str, model: type[BaseModel] | None) -> str:
    if model is None:
        return "expected a setting that `spt train --help` lists, found an unknown key"
    names = [name for name in model.model_fields if name != "task"]
    return f"expected one of {', '.join(names)}, found an unknown key{did_you_mean(key, names)}"
