"""Files that survive the death of their writer: whole or absent, and on the disk before we go on.

Knows paths and bytes, nothing of adapters.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.errors import StoreUnavailable


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """Say that the store cannot be reached whenever the file system refuses in this block.

    Raises:
        StoreUnavailable: naming the file of the refused operation, or else `path`.
    """
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"store {error.filename or path}: {error.strerror or error}; check that the folder is "
            "there, that this user may read and write it, and that the disk has room"
        ) from error


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Keep other processes and threads out of this block; a dead holder's lock is free."""
    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write(path: Path, data: bytes) -> None:
    """Replace a file in one step; what a dead writer left half-written is written over."""
    temporary = path.parent / ".writing"
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync(path.parent)


def write_unless_same(path: Path, data: bytes) -> None:
    """Replace a file that holds anything else; make sure that one which does not is durable."""
    if bytes_or_none(path) == data:
        sync(path.parent)
    else:
        write(path, data)


def sync(folder: Path) -> None:
    """Make the folder's list of files durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def bytes_or_none(path: Path) -> bytes | None:
    """Return what a file holds, None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none where there is no folder."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
