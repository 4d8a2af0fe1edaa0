"""Whether /dev/shm, through which loading processes hand over their batches, is large enough.

Docker gives a container 64 MB of it by default.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from trainer.errors import TrainingError

PLACE = Path("/dev/shm")
_AHEAD = 2
"""Batches that each process prepares ahead, torch's default."""

_IN_HAND = 2
"""Batches on their way from the processes to the device."""

_ADVICE = "give more of it, such as docker run --shm-size=1g"
_SIGNS = ("shared memory", "shm", "Bus error")


def workers_that_fit(wanted: int, batch_bytes: int) -> int:
    """Return how many processes may load, 0 for none but this one; warns once if fewer.

    Args:
        wanted: as many as the machine is good for.
        batch_bytes: size of one batch.
    """
    free = _free_bytes()
    fitting = wanted if free is None else (free // batch_bytes - _IN_HAND) // _AHEAD
    chosen = max(0, min(wanted, fitting))
    if chosen < wanted:
        _warn(wanted, chosen)
    return chosen


@contextmanager
def shared_memory_explained() -> Iterator[None]:
    """Say what to do when there is no shared memory left.

    Raises:
        TrainingError: naming /dev/shm.
    """
    try:
        yield
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _SIGNS):
            raise
        raise TrainingError(
            f"{PLACE} is full, through which loading processes hand over their batches; {_ADVICE}, "
            "or lower optim.batch_size"
        ) from error


def _free_bytes() -> int | None:
    try:
        state = os.statvfs(PLACE)
    except OSError:  # not on this system
        return None
    return state.f_bavail * state.f_frsize


@cache
def _warn(wanted: int, chosen: int) -> None:
    logging.getLogger(__name__).warning(
        "warning: %s is small: %s of %d loading processes are used, which is slower; %s",
        PLACE,
        chosen or "none",
        wanted,
        _ADVICE,
    )
