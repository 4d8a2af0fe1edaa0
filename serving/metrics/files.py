"""Files in which several processes of a launch count, and what is left of those that have ended.

The library keeps a file for each process and kind of metric. A process's gauges end with it: what
it had is no more. Its counts stay, or sums over all processes would fall; they are added up in the
files of a process that never was, so that files do not grow in number.
"""

import fcntl
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from prometheus_client.mmap_dict import MmapedDict

_NAME: Final = re.compile(r"(counter|histogram|gauge_live\w+)_([0-9]+)\.db")
_NOBODY: Final = "0"
_LOCK: Final = "lock"


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
    for one in [*ended, path] if path.exists() else ended:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(one):
            sums[key] += value
    made = path.with_suffix(".new")
    made.unlink(missing_ok=True)
    file = MmapedDict(made)
    for key, value in sums.items():
        file.write_value(key, value, 0.0)
    file.close()
    made.replace(path)
