"""Writers that die: a change to a store, stopped at each of its steps in turn.

Every C function with a side effect on files that the change calls is a step, found by a profile
hook in a process of its own, so no way to the disk is missed, whichever module takes it.
"""

import enum
import errno
import io
import multiprocessing
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from adapters.errors import StoreUnavailable
from adapters.store.directory import DirectoryStore

# a fork of a process that has threads may hang, and a new interpreter loads torch for seconds
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["adapters.store.garbage"])

STEPS = frozenset(
    {"fsync", "flock", "flush", "mkdir", "open", "replace", "rename", "unlink", "write"}
)
Change = Callable[[DirectoryStore], object]
"""Goes to another process: a `methodcaller`, or a `partial` of what a module defines."""


class End(enum.Enum):
    """How a step goes wrong."""

    KILLED = "the process dies before it"
    REFUSED = "the file system refuses it: no space left"
    TORN = "the process dies in the middle of a write"


@dataclass(frozen=True)
class Crash:
    """What was stopped where, and the store that it left behind."""

    end: End
    number: int
    step: str
    root: Path


def crashes(change: Change, before: Path, scratch: Path, end: End) -> Iterator[Crash]:
    """Yield what is left of copies of a store when a change to it is stopped, each time later.

    Args:
        change: what is done to each copy; ends by itself, raising nothing but StoreUnavailable.
        before: the store as it is before, or a path where none is.
        scratch: an empty folder for the copies.
        end: how it is stopped; a torn write has 0 bytes, then 1, 4, 16 and so on.

    Raises:
        AssertionError: the change fails otherwise, or steps are not found any more.
    """
    for number in count():
        root = scratch / str(number)
        if before.exists():
            shutil.copytree(before, root)
        heard, told = PROCESSES.Pipe(duplex=False)
        writer = PROCESSES.Process(target=_write, args=(change, root, end, number, told))
        writer.start()
        told.close()
        step = _heard_step(heard)
        writer.join()
        if writer.exitcode == 0 and step is None:
            assert number > 0, f"{change} was stopped nowhere: are its steps still {STEPS}?"
            return
        assert writer.exitcode in _EXPECTED[end], f"exit code {writer.exitcode} after {step}"
        yield Crash(end, number, step or "write", root)
        shutil.rmtree(root, ignore_errors=True)


_REFUSED = 3
_EXPECTED = {
    End.KILLED: {-signal.SIGKILL},
    End.REFUSED: {0, _REFUSED},
    End.TORN: {-signal.SIGXFSZ},
}


def _write(change: Change, root: Path, end: End, number: int, told: Connection) -> None:
    if end is End.TORN:
        _limit_files(0 if number == 0 else 4 ** (number - 1))
    else:
        sys.setprofile(_Stopper(end, number, told))
    try:
        change(DirectoryStore(root))
    except StoreUnavailable:
        os._exit(_REFUSED)
    finally:
        sys.setprofile(None)


class _Stopper:
    """Counts the steps of this thread and ends it at one of them."""

    def __init__(self, end: End, number: int, told: Connection) -> None:
        self._end = end
        self._steps_left = number
        self._told = told

    def __call__(self, _: FrameType, event: str, called: Any) -> None:
        if event != "c_call" or called.__name__ not in STEPS:
            return
        if not isinstance(called.__self__, ModuleType | io.IOBase):  # such as str.replace
            return
        self._steps_left -= 1
        if self._steps_left == -1:
            self._told.send(called.__name__)
            if self._end is End.KILLED:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _limit_files(num_bytes: int) -> None:
    """Have the kernel end this process as soon as a file of it would grow beyond."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, num_bytes))


def _heard_step(heard: Connection) -> str | None:
    try:
        return str(heard.recv())
    except EOFError:
        return None
