"""From the command line and recipe files to a recipe.

A file `recipes/<family>.toml` has a table per task, which holds only what differs for the task
under that family of checkpoints. Its `methods` say what differs further for a method, by name, or
for all that have prompts, as `prompted`. `--set optim.lr=1e-3` on the command line comes last.
Under `protocol=published` the settings of the method's authors lie under the table.
"""

import json
import tomllib
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.vit.families import family_of
from trainer.errors import RecipeError
from trainer.methods.table import DEFAULT_METHOD, METHODS
from trainer.protocol.optimisers import VPT_CODE
from trainer.protocol.published import published_settings
from trainer.recipe import Recipe, overlay

PUBLISHED: Final = "published"
_RECIPES = resources.files("trainer") / "recipes"


def load_recipe(
    task: str, overrides: Iterable[str] = (), file: Path | None = None, **chosen: Any
) -> Recipe:
    """Return the recipe of a task: the method's defaults, its table, `chosen`, then overrides.

    Args:
        task: task id; it need not have a table in its family's file.
        overrides: texts such as `optim.lr=1e-3`.
        file: a recipe in JSON or TOML that takes the place of the task's table.
        chosen: top-level fields; None leaves a field as it is.

    Raises:
        RecipeError: an unknown key or a value out of range, naming it, or a damaged file.
    """
    asked: dict[str, Any] = {key: value for key, value in chosen.items() if value is not None}
    for text in overrides:
        _override(asked, text)
    tree = table_settings(task, asked) if file is None else overlay(_own_file(task, file), asked)
    if file is not None and asked.get("protocol") == PUBLISHED:
        raise RecipeError(
            f"protocol={PUBLISHED} takes settings from the task's table, and {file} takes the "
            "table's place; leave one of them out"
        )
    if "task" in tree:
        raise RecipeError(
            f"recipe of {task}: expected no key 'task', found {tree['task']!r}; the name decides it"
        )
    try:
        return Recipe(task=task, **tree)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise RecipeError(
            f"recipe of {task}: {faults}; see trainer/recipe.py for the keys"
        ) from error


def table_settings(task: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what the task's table says for the backbone and method asked, and what is asked.

    Under the published protocol what the authors trained with lies under both. It decides the
    pixels then, and the rates of methods that VPT's code trains: the table's are AdamW's.
    """
    backbone = str(asked.get("backbone", EMBEDDED))
    tree = _table_of(task, family_of(backbone).name)
    for_methods = tree.pop("methods", {})
    method = str(asked.get("method", tree.get("method", DEFAULT_METHOD)))
    published = asked.get("protocol") == PUBLISHED and method in METHODS
    if published:
        tree.pop("pixels", None)
        prompt = overlay(METHODS[method].defaults.get("prompt", {}), _part(asked, "prompt"))
        tree = overlay(published_settings(task, backbone, method, prompt), tree)
    if method in METHODS and METHODS[method].prompts and not (published and method in VPT_CODE):
        tree = overlay(tree, for_methods.get("prompted", {}))
    return overlay(overlay(tree, for_methods.get(method, {})), asked)


def _part(asked: dict[str, Any], name: str) -> dict[str, Any]:
    part = asked.get(name)
    return part if isinstance(part, dict) else {}


def _own_file(task: str, file: Path) -> dict[str, Any]:
    """Return what a recipe's file says besides its task, which is the one asked for."""
    try:
        text = file.read_text(encoding="utf-8")
        tree = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"{file} cannot be read as a recipe ({error}); expected JSON such as a run's "
            "recipe.json, or TOML in a file that ends in .toml"
        ) from error
    tree = _as_table(tree, str(file))
    found = tree.pop("task", task)
    if found != task:
        raise RecipeError(f"{file}: its task is {found}, asked for is {task}; name the same one")
    return tree


def _table_of(task: str, family: str) -> dict[str, Any]:
    file = _RECIPES / f"{family}.toml"
    table = _tables_in(file).get(task, {}) if file.is_file() else {}
    for_methods = _as_table(table.get("methods", {}), f"{file}: {task}.methods")
    for method, settings in for_methods.items():
        _as_table(settings, f"{file}: {task}.methods.{method}")
    return table


def _tables_in(file: Traversable) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecipeError(f"{file}: expected TOML, found a damaged file: {error}") from error
    return {task: _as_table(table, f"{file}: {task}") for task, table in tables.items()}


def _as_table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecipeError(f"{where}: expected a table of settings, found {value!r}")
    return value


def _override(tree: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise RecipeError(f"override {text!r}: expected key=value, such as optim.lr=1e-3")
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise RecipeError(f"override {text!r}: {parent} is a value and has no {leaf}")
    tree[leaf] = _parse(value.strip())


def _parse(value: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value
