"""Files in which several processes of a launch count, and what is left of those that have ended.

The library keeps a file for each process and kind of metric. A process's gauges end with it: what
it had is no more. Its counts stay, or sums over all processes would fall; they are added up in the
files of a process that never was, so that files do not grow in number. A file has its place on the
disk before anything is counted: who writes to mapped memory for which the disk has no room is
killed.
"""

import fcntl
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
from prometheus_client.mmap_dict import MmapedDict

_NAME: Final = re.compile(r"(counter|histogram|gauge_live\w+)_([0-9]+)\.db")
_KINDS: Final = ("counter", "histogram", "gauge_livesum", "gauge_livemostrecent")
_BYTES: Final = 1 << 17
"""Of a file, which has more room than the series of a process take."""

_NOBODY: Final = "0"
_LOCK: Final = "lock"


def begin_files(folder: Path) -> None:
    """Make the files of this process, with room for all that it will count.

    Raises:
        OSError: there is no room, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with reading(folder):  # of an ended process that had our number, no file is left
        for kind in _KINDS:
            _allocate(folder / f"{kind}_{os.getpid()}.db", _BYTES)


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Give the block a folder of files that are of processes that run, or added up.

    Raises:
        OSError: the folder is not there, or cannot be written.
    """
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _bury(folder)
        yield
    finally:
        os.close(descriptor)


def _bury(folder: Path) -> None:
    ended: dict[str, list[Path]] = defaultdict(list)
    for path in folder.iterdir():
        found = _NAME.fullmatch(path.name)
        if found is not None and found[2] != _NOBODY and not _has_owner(path, int(found[2])):
            ended[found[1]].append(path)
    for kind, paths in ended.items():
        with suppress(OSError):  # a full disk: they are told one by one
            if not kind.startswith("gauge"):
                _add_up(folder / f"{kind}_{_NOBODY}.db", paths)
            for path in paths:
                path.unlink(missing_ok=True)


def _has_owner(path: Path, pid: int) -> bool:
    """Return whether the process that made a file runs, and not a later one with its number."""
    try:
        process = psutil.Process(pid)
        began_at = process.create_time()
        return process.status() != psutil.STATUS_ZOMBIE and began_at <= path.stat().st_mtime + 1
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False


def _add_up(path: Path, ended: Sequence[Path]) -> None:
    sums: dict[str, float] = defaultdict(float)
    files = [*ended, path] if path.exists() else ended
    for one in files:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(one):
            sums[key] += value
    made = path.with_suffix(".new")
    _allocate(made, max(one.stat().st_size for one in files))
    file = MmapedDict(made)
    for key, value in sums.items():
        file.write_value(key, value, 0.0)
    file.close()
    made.replace(path)


def _allocate(path: Path, size: int) -> None:
    """Make a file of zeros, all of whose bytes have their place on the disk."""
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError:
        path.unlink(missing_ok=True)
        raise
