"""Every setting of a recipe with its default, as the help of a command lists them."""

import textwrap
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from trainer.recipe import Recipe

_WIDTH: Final = 96


def settings_listing() -> str:
    """Return a line or more for each key that `--set` takes: `key (default): meaning`."""
    lines = [f"{key} ({default}): {meaning}" for key, default, meaning in _settings(Recipe)]
    return "\n".join(
        textwrap.fill(line, _WIDTH, subsequent_indent="    ", break_long_words=False)
        for line in lines
    )


def _settings(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings(kind, f"{name}.")
        elif not field.is_required():
            yield f"{above}{name}", _shown(field.default), field.description or ""


def _shown(default: object) -> str:
    if default is None:
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)
