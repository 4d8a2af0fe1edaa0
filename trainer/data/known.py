"""What is known of tasks without reading one: their names, and the folders where they are.

Loads no reader and no pixel, so that tasks can be listed at once.
"""

from pathlib import Path
from typing import Final

from adapters.suggestions import did_you_mean
from trainer.data.public.tasks import PUBLIC_TASKS

DATA_ROOT: Final = Path("data")
BUILTIN_ROOT: Final = Path("runs/data")

BUILTIN_NAMES: Final = ("digits", "shapes", "counting", "letters")
"""The tasks that are drawn on first use; `builtin/catalogue.py` has what they are."""


def meant(name: str) -> str:
    """Return `; did you mean 'digits'?` for a name that is like a task's, else nothing."""
    return did_you_mean(name, [*BUILTIN_NAMES, *PUBLIC_TASKS])
