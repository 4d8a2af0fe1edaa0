"""The moment at which the worker last showed that it works, for it and for whoever watches it.

Known in the worker's memory, and to others by the age of an empty file. Does not know what makes
the worker's heart beat.
"""

import logging
import time
from pathlib import Path
from typing import Final

FILE: Final = "heartbeat"
"""Its name in the launch's folder."""

IDLE_S: Final = 3.0
"""A worker whose last beat is older is asked for one."""

READY_S: Final = 15.0
"""A worker whose last beat is older should get no callers."""

LIVE_S: Final = 90.0
"""A worker whose last beat is older will not come back; TorchServe ends a batch after 60 s."""

_log = logging.getLogger(__name__)


class Heartbeat:
    """The heart of this process.

    Args:
        folder: of the launch, where the file is; None for a worker that nobody watches.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / FILE
        self._beat_at = time.monotonic()

    def beat(self) -> None:
        """Show that the worker works, here and now."""
        self._beat_at = time.monotonic()
        if self._path is None:
            return
        try:
            self._path.touch()
        except OSError as error:  # a full disk still lets a file that is there be touched
            _log.warning("%s cannot be touched (%s); the service looks unready", self._path, error)

    @property
    def age_s(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._beat_at


def age_of(folder: Path) -> float | None:
    """Return how many seconds ago the worker of a launch's folder last worked; None if never."""
    try:
        return max(0.0, time.time() - (folder / FILE).stat().st_mtime)
    except FileNotFoundError:
        return None


def forget(folder: Path) -> None:
    """Delete what is left of a worker that has ended."""
    (folder / FILE).unlink(missing_ok=True)
