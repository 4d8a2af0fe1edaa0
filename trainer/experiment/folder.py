"""A run's folder: whether a run may write to it, and which files in it a run left.

Nothing is deleted or written over that a run of ours did not leave.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from adapters.artifact.task import is_task_id
from trainer.errors import OutputError, ResumeError
from trainer.tracking.kept_ids import FILE as TRACKING

RECIPE = "recipe.json"
STATE = "state.pt"
CARD = "card.md"
_OWN = (
    *(RECIPE, STATE, "state.partial", "metrics.json", "predictions.json", "report.html"),
    CARD,
)
_RECIPE_KEYS = {"task", "backbone", "method", "optim"}
_EVENTS = "tensorboard"
_PLACES = ("seed-*", "seeds.json", "sweep", "search", ".*")
"""What may lie in a folder with no run in it: runs of seeds, sweeps, searches, and the system's own
files."""


@contextmanager
def files_explained(folder: Path) -> Iterator[None]:
    """Say in one line which file the system refuses in this block.

    Raises:
        OutputError: naming the file, or else `folder`.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{error.filename or folder}: {error.strerror or error}; check that this user may read "
            "and write it and that the disk has room, or choose another --out"
        ) from error


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written, before anything is made.

    Raises:
        OutputError: it is a file, another user's or on a read-only file system; or would lie in one
            that is.
    """
    with files_explained(folder):
        place = folder
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise OutputError(
                f"{folder}: {place} is a file, expected a folder; choose another place, see --out"
            )
        if not os.access(place, os.W_OK | os.X_OK):
            raise OutputError(
                f"{folder}: {place.resolve()} cannot be written: it is read-only, or another "
                "user's; change its permissions or choose another place, see --out"
            )


def check_free(folder: Path) -> None:
    """Refuse a folder where a run would write over files that no run left.

    Raises:
        ResumeError: naming the first of them.
    """
    strange = [name for name in _OWN if os.path.lexists(folder / name)]
    if strange and not is_run(folder):
        raise ResumeError(
            f"{folder}: {strange[0]} would be written over, and no run left it; choose another "
            "--out, or move the file away"
        )


def check_forgettable(folder: Path) -> None:
    """Refuse to start over in a folder that is not a run's.

    Raises:
        ResumeError: the folder holds files, and no recipe of a run.
    """
    if is_run(folder) or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if not any(path.match(pattern) for pattern in _PLACES):
            raise ResumeError(
                f"{folder}: --fresh deletes only what a run left, and this is no run's folder: it "
                f"holds {path.name}, but no {RECIPE} of a run; choose another --out"
            )


def forget(folder: Path) -> None:
    """Delete what a run left in a folder, to start over; whatever else is there stays.

    Raises:
        ResumeError: the folder holds files, and no recipe of a run.
    """
    check_forgettable(folder)
    recipe = _recipe(folder)
    if recipe is None:
        return
    for path in (*_left(folder, str(recipe["task"])), folder / RECIPE):
        if path.is_file() or path.is_symlink():
            path.unlink(missing_ok=True)
    with suppress(OSError):  # it is not there, or holds more than events
        (folder / _EVENTS).rmdir()


def is_run(folder: Path) -> bool:
    """Return whether a run left its recipe here."""
    return _recipe(folder) is not None


def _recipe(folder: Path) -> dict[str, Any] | None:
    try:
        recipe = json.loads((folder / RECIPE).read_bytes())
    except (OSError, ValueError):
        return None
    return recipe if isinstance(recipe, dict) and recipe.keys() >= _RECIPE_KEYS else None


def _left(folder: Path, task: str) -> Iterator[Path]:
    """Yield the places of a run's files, but its recipe, which is the last to go."""
    artifact = [f"{task}.safetensors"] if is_task_id(task) else []
    for name in (*_OWN[1:], TRACKING, *artifact):
        yield folder / name
        yield from folder.glob(f".{name}.*.writing")
    if not (folder / _EVENTS).is_symlink():
        yield from (folder / _EVENTS).glob("events.out.tfevents.*")
