"""The command that repeats a run, with every setting of its recipe."""

import json
import shlex
import tomllib
from collections.abc import Mapping
from typing import Any

from trainer.recipe import flat_settings


def repeat_command(recipe: Mapping[str, Any]) -> str:
    """Return the shell command, one option a line.

    Every value is spelled out, so that the command means the same run after the task's own recipe
    file has changed. A value of none cannot be set, and never needs to be: it is a default.

    Args:
        recipe: what `recipe.json` holds, `task` among it.
    """
    settings = [
        f"--set {shlex.quote(f'{key}={_as_toml(value)}')}"
        for key, value in flat_settings(recipe)
        if value is not None and key != "task"
    ]
    return " \\\n  ".join([f"python -m trainer train {shlex.quote(recipe['task'])}", *settings])


def _as_toml(value: Any) -> str:
    """Write a value so that a recipe override reads it back; plain words need no quotes."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return value
    return json.dumps(value)
