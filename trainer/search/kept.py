"""What a search leaves in its folder: of what it is, its best recipe, and its trials' runs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from adapters.store import durable
from trainer.errors import ResumeError
from trainer.experiment.folder import forget, is_run
from trainer.training.checkpoint import START_OVER
from trainer.training.identity import Identity, described

ABOUT: Final = "search.json"
BEST: Final = "best.json"
JOURNAL: Final = "study.log"


def trial_place(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Return the run folder of some settings: a trial that was interrupted finds its own again."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return folder / f"trial-{digest[:16]}"


def check_same_search(folder: Path, identity: Identity, space: Sequence[str]) -> None:
    """Refuse to go on with another search; a first one leaves of what it is.

    Raises:
        ResumeError: the folder holds a search of something else, or a damaged one.
    """
    path = folder / ABOUT
    now = json.loads(json.dumps({"identity": identity, "space": list(space)}))
    content = durable.bytes_or_none(path)
    if content is None:
        durable.write(path, json.dumps(now, indent=1).encode())
        return
    try:
        before = json.loads(content)
        differs = described(before["identity"], now["identity"])
        if not differs and before["space"] != now["space"]:
            differs = f"other ranges ({', '.join(before['space'])})"
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ResumeError(
            f"{path} is damaged, or of another version of this program; {START_OVER}"
        ) from error
    if differs:
        raise ResumeError(f"{path}: this search was made with {differs}; {START_OVER}")


def forget_search(folder: Path) -> None:
    """Delete what a search left in a folder, to start over; whatever else is there stays.

    Raises:
        ResumeError: the folder holds files, and nothing of a search.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / ABOUT).is_file():
        raise ResumeError(
            f"{folder}: --fresh deletes only what a search left, and there is none; choose another "
            "--out"
        )
    for place in folder.glob("trial-*"):
        if is_run(place) and not place.is_symlink():
            forget(place)
            with suppress(OSError):  # somebody's files are in it
                place.rmdir()
    for path in (*folder.glob(f"{JOURNAL}*"), folder / BEST, folder / ABOUT):
        path.unlink(missing_ok=True)
