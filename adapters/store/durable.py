"""Files that survive the death of their writer: whole or absent, and on the disk before we go on.

Knows paths and bytes, nothing of adapters. On a network directory a replaced or deleted file may
vanish under its reader, who then asks for it again by name.
"""

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adapters.errors import StoreUnavailable

UNFINISHED = re.compile(r"\.(?P<name>[^/]+)\.[0-9a-f]{8}\.writing")
"""Names of files that are being written, or were when their writer died."""

_READS = 5
"""How often a file is opened that is replaced each time while it is read."""


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
    """Keep other processes and threads out of this block; a dead holder's lock is free.

    On a network directory those of other machines too, if it is mounted with locks.

    Raises:
        StoreUnavailable: the file system has no locks.
    """
    # the file is never deleted: two holders could then lock two files of one name
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise StoreUnavailable(
                f"store {lock}: the file system gives no lock ({error.strerror}); mount the "
                "network directory with locks, or publish to one that has them"
            ) from error
        yield


def write(path: Path, data: bytes) -> None:
    """Replace a file in one step; of two writers at once, the last one's bytes stay."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.writing")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before the rename, or the name could outlive the bytes
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync(path.parent)  # or the rename could be lost


def write_unless_same(path: Path, data: bytes) -> None:
    """Replace a file that holds anything else; make sure that one which does not is durable."""
    if bytes_or_none(path) == data:
        sync(path.parent)
    else:
        write(path, data)


def append(path: Path, line: bytes) -> None:
    """Add a line to a file; after one whose writer died in the middle, on a line of its own."""
    is_new = not path.exists()
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync(path.parent)


def delete(paths: Collection[Path]) -> None:
    """Delete files, those that are there; a reader that has opened one reads on."""
    for path in paths:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in paths}:
        sync(folder)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(folder: Path) -> None:
    """Make the folder's list of files durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some network file systems have nothing to do here, and say that it cannot be done
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def bytes_or_none(path: Path) -> bytes | None:
    """Return what a file holds, None where there is none."""
    attempts_left = _READS
    while True:
        attempts_left -= 1
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.ESTALE or attempts_left == 0:
                raise


def start_or_none(path: Path, most: int) -> bytes | None:
    """Return the first bytes of a file, `most` of them at most; None where there is no file."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        return None


def names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none where there is no folder."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
