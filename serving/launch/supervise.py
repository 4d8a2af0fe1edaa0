"""Staying with a service until one of the two is told to end; it is started again if it ended.

The process that stays is the parent of what it started, also of what that leaves behind. So it may
drain where only ancestors may look into a process, and no ended process stays a zombie.
"""

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from serving.errors import LaunchError
from serving.health.stop_mark import StopMark
from serving.launch.running import CONSOLE, LOGS, Running, is_recorded_as

_PR_SET_CHILD_SUBREAPER: Final = 36
_LOOK_S: Final = 0.5

_PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Before each attempt to start a service again that has ended by itself."""

_SOUND_S: Final = 300.0
"""A service that ran so long begins with the shortest pause again."""

_log = logging.getLogger(__name__)


class Care(NamedTuple):
    """What whoever stays with a service does for it.

    Attributes:
        folder: of the launch.
        again: starts what has ended by itself once more, unless it was stopped; returns what was
            begun.
        look: called every half second while it runs, and while it is stopping.
        stop: ends it; those who have asked get their answers first if its argument says so.
    """

    folder: Path
    again: Callable[[Running], Running]
    look: Callable[[], None]
    stop: Callable[[bool], object]


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, and be the parent of orphans, for the length of the block."""
    _adopt_orphans(True)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        _adopt_orphans(False)


def supervise(care: Care, running: Running) -> None:
    """Return once the service has ended as it was told to, here or by `stop` elsewhere.

    Args:
        care: what is done for it.
        running: what was started; another service that follows it there is none of ours.

    Raises:
        LaunchError: it cannot be started again; what is left of it is ended too.
    """
    folder = care.folder
    pauses, started_at = iter(_PAUSES_S), time.monotonic()
    try:
        while is_recorded_as(folder, running):
            _bury_children()
            if running.alive() or StopMark(folder).is_stopping():
                care.look()
                time.sleep(_LOOK_S)
                continue
            if time.monotonic() - started_at > _SOUND_S:
                pauses = iter(_PAUSES_S)
            _pause(care, pauses)
            if is_recorded_as(folder, running):  # nobody has stopped it meanwhile, or begun anew
                running = _started_again(running, care.again)
            started_at = time.monotonic()
    except KeyboardInterrupt:
        care.stop(True)


def leave_supervisor(care: Care, running: Running) -> None:
    """Supervise in a process of its own, that nobody waits for; the arguments are the same."""
    if os.fork():
        return
    try:
        os.setsid()
        with Path(os.devnull).open("rb") as nothing, (care.folder / CONSOLE).open("ab") as console:
            for number, file in enumerate((nothing, console, console)):
                os.dup2(file.fileno(), number)
        supervise(care, running)
    except LaunchError as error:
        _log.error("%s", error)
    finally:
        os._exit(0)


def _pause(care: Care, pauses: Iterator[float]) -> None:
    """Wait before a service that has ended is started again; give it up after the last pause."""
    reason = f"the service ended by itself; see {care.folder / LOGS} and {care.folder / CONSOLE}"
    pause_s = next(pauses, None)
    if pause_s is None:
        care.stop(False)
        raise LaunchError(f"{reason}; it did so {len(_PAUSES_S) + 1} times, and is left alone")
    _log.error("%s; it is started again in %g s", reason, pause_s)
    time.sleep(pause_s)


def _started_again(before: Running, again: Callable[[Running], Running]) -> Running:
    """Start a service once more; return what has ended where nothing was begun."""
    try:
        return again(before)
    except LaunchError as error:
        _log.error("it did not start: %s", error)
        return before


def _adopt_orphans(is_wanted: bool) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(is_wanted), 0, 0, 0)


def _bury_children() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass
