"""Staying with a service until one of the two is told to end, for systemd, Kubernetes and the like.

The process that stays is the parent of what it started, also of what that leaves behind. So it may
drain where only ancestors may look into a process, and no ended process stays a zombie.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from serving.errors import LaunchError
from serving.torchserve.launch import stop
from serving.torchserve.logs import ServiceLog
from serving.torchserve.running import Running, is_recorded
from serving.torchserve.stop_mark import StopMark

_PR_SET_CHILD_SUBREAPER: Final = 36
_LOOK_S: Final = 0.5


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


def supervise(folder: Path, running: Running) -> None:
    """Return once the service has ended as it was told to, here or by `stop` elsewhere.

    Raises:
        LaunchError: it ended by itself; what is left of it is ended too.
    """
    try:
        while is_recorded(folder):
            _bury_children()
            if not running.alive() and not StopMark(folder).is_stopping():
                stop(folder, draining=False)
                raise LaunchError(f"the service ended by itself; see {ServiceLog(folder).places}")
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        stop(folder)


def _adopt_orphans(is_wanted: bool) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(is_wanted), 0, 0, 0)


def _bury_children() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass
