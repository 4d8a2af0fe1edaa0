"""Which settings are searched, and between which values: what a person types, checked.

`optim.lr=1e-4:1e-1:log` is a range on a logarithmic scale, `optim.ema=0.9:0.999` one on a plain
scale, `prompt.num_tokens=5:50` one of whole numbers, `prompt.init=random,kmeans` some choices.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from trainer.errors import RecipeError
from trainer.recipe import Recipe, overlay

DEFAULT: Final = (
    "optim.lr=1e-4:1e-1:log",
    "optim.weight_decay=1e-5:1:log",
    "optim.head_weight_decay=1e-4:10:log",
)
_PARTS: Final = ("optim", "prompt")
_FORM: Final = (
    "expected KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=A,B,C, such as optim.lr=1e-4:1e-1:log"
)


@dataclass(frozen=True)
class Axis:
    """One setting.

    Attributes:
        key: such as `optim.lr`.
        values: the lowest and the highest of a range, or the choices.
        is_range: whether they are a range.
        is_log: whether a range has a logarithmic scale.
    """

    key: str
    values: tuple[Any, ...]
    is_range: bool
    is_log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether a range is one of whole numbers."""
        return self.is_range and all(isinstance(value, int) for value in self.values)


def read_axis(text: str) -> Axis:
    """Return the axis that somebody typed.

    Raises:
        RecipeError: it has another form, or its range is empty.
    """
    key, equals, values = (part.strip() for part in text.partition("="))
    if not (equals and key and values):
        raise RecipeError(f"--vary {text}: {_FORM}")
    if key.partition(".")[0] not in _PARTS:
        raise RecipeError(
            f"--vary {text}: expected a key of {' or '.join(_PARTS)}, found {key}; what decides "
            "images and backbone is the same for all trials"
        )
    if ":" in values:
        return _range(text, key, values.split(":"))
    choices = tuple(_parse(choice.strip()) for choice in values.split(","))
    if len(choices) < 2:
        raise RecipeError(f"--vary {text}: expected two choices or more; fix one with --set")
    return Axis(key, choices, is_range=False)


def _range(text: str, key: str, parts: Sequence[str]) -> Axis:
    bounds = tuple(_parse(part.strip()) for part in parts[:2])
    is_log = parts[2:] == ["log"]
    is_numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in bounds)
    if len(parts) < 2 or not is_numbers or (parts[2:] and not is_log):
        raise RecipeError(f"--vary {text}: {_FORM}")
    if not bounds[0] < bounds[1] or (is_log and bounds[0] <= 0):
        above = " above 0" if is_log else ""
        raise RecipeError(f"--vary {text}: expected a lower bound{above} that is below the upper")
    if is_log and not all(isinstance(value, int) for value in bounds):
        bounds = tuple(map(float, bounds))
    return Axis(key, bounds, is_range=True, is_log=is_log)


def read_space(texts: Iterable[str], recipe: Recipe) -> list[Axis]:
    """Return the axes, each of whose ends is one that the recipe can have.

    Raises:
        RecipeError: a text has another form, a key twice, or no recipe can have a value.
    """
    axes = [read_axis(text) for text in texts]
    keys = [axis.key for axis in axes]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise RecipeError(f"--vary: {twice[0]} stands twice; give it one range")
    for axis in axes:
        for value in axis.values:
            with_values(recipe, {axis.key: value})
    return axes


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return the recipe with other settings, by their dotted keys.

    Raises:
        RecipeError: no recipe can have them.
    """
    tree: dict[str, Any] = recipe.model_dump()
    for key, value in values.items():
        part, _, leaf = key.partition(".")
        tree = overlay(tree, {part: {leaf: value}})
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the recipe"
        found = ", ".join(f"{key}={value}" for key, value in values.items())
        raise RecipeError(f"--vary: {found}: {where}: {first['msg']}") from error


def _parse(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
