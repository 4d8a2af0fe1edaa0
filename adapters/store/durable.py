"""Files that survive the death of their writer: whole or absent, and on the disk before we go on.

Knows paths and bytes, nothing of adapters. On a network directory a replaced or deleted file may
vanish under its reader, who then asks for it again by name.
"""

import errno
import fcntl
import os
import re
import secrets
import socket
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from adapters.errors import StoreUnavailable
from adapters.named_file import MOST_BYTES

UNFINISHED = re.compile(r"\.(?P<name>[^/]+)\.[0-9a-f]{8}\.writing")
"""Names of files that are being written, or were when their writer died."""

LOCK_PATIENCE_S = 20.0
"""How long another writer is waited for."""

_LOCK_POLL_S = 0.01
_READS = 5
"""How often a file is opened that is replaced each time while it is read."""


@dataclass
class Patience:
    """What is left of the seconds that locks are waited for; without, each is tried once."""

    left_s: float


@contextmanager
def reaching(path: Path | str) -> Iterator[None]:
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
def exclusive(lock: Path, patience: Patience | None = None) -> Iterator[None]:
    """Keep other processes and threads out of this block; a dead holder's lock is free.

    On a network directory those of other machines too, if it is mounted with locks.

    Args:
        lock: its file.
        patience: shared with other locks; None waits for `LOCK_PATIENCE_S`.

    Raises:
        StoreUnavailable: the file system has no locks, or another one holds it for very long.
    """
    # the file is never deleted: two holders could then lock two files of one name
    is_new = not lock.exists()
    with open(_regular(lock, os.O_RDWR | os.O_CREAT), "r+b") as file:
        if is_new:
            share_like_folder(lock, file.fileno())
        _await_lock(lock, file, patience or Patience(LOCK_PATIENCE_S))
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        file.flush()
        yield


def _await_lock(lock: Path, file: BinaryIO, patience: Patience) -> None:
    begun_at = time.monotonic()
    give_up_at = begun_at + patience.left_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            patience.left_s = max(0.0, give_up_at - time.monotonic())
            return
        except BlockingIOError:
            now = time.monotonic()
            if now > give_up_at:
                patience.left_s = 0.0
                holder = file.read(100).decode(errors="replace") or "another process"
                raise StoreUnavailable(
                    f"store {lock}: {holder} has been writing for {now - begun_at:.0f} s; wait for "
                    "it, or end it if it is stuck"
                ) from None
            time.sleep(_LOCK_POLL_S)
        except OSError as error:
            raise StoreUnavailable(
                f"store {lock}: the file system gives no lock ({error.strerror}); mount the "
                "network directory with locks, or publish to one that has them"
            ) from error


def write(path: Path, data: bytes) -> None:
    """Replace a file in one step; of two writers at once, the last one's bytes stay."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.writing")
    try:
        with temporary.open("xb") as file:
            share_like_folder(path, file.fileno())
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
    with open(_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), "ab+") as file:
        if is_new:
            share_like_folder(path, file.fileno())
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


def make_folder(folder: Path, like: Path | None = None) -> None:
    """Make a folder, and those above it that are missing.

    Args:
        folder: where.
        like: a folder above it; those below get its rights, whatever this process' umask.

    Raises:
        StoreUnavailable: there is a link in its place.
    """
    if like is not None and folder != like and folder.is_symlink():
        raise StoreUnavailable(f"store {folder}: expected a folder, found a link; put one there")
    if not folder.is_dir():
        make_folder(folder.parent, like)
        folder.mkdir(exist_ok=True)
        if like is not None and folder != like:
            with suppress(PermissionError):  # another writer's folder has its rights already
                folder.chmod(stat.S_IMODE(like.stat().st_mode) & 0o2777)
        sync(folder.parent)


def share_like_folder(path: Path, descriptor: int) -> None:
    """Let those read and write a new file who may do so in its folder, whatever our umask."""
    with suppress(PermissionError):
        os.fchmod(descriptor, stat.S_IMODE(path.parent.stat().st_mode) & 0o666)


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


def bytes_or_none(path: Path | str, most: int | None = None) -> bytes | None:
    """Return what a file holds, or the first `most` bytes of it; None where there is none."""
    attempts_left = _READS
    while True:
        attempts_left -= 1
        try:
            return _read(path, most)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.ESTALE or attempts_left == 0:
                raise


def _read(path: Path | str, most: int | None) -> bytes:
    with open(_regular(path, os.O_RDONLY), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            raise StoreUnavailable(
                f"store {path}: expected {MOST_BYTES:,} bytes at most, found {size:,}; the store "
                "made no such file: remove it"
            )
        return file.read(most)


def _regular(path: Path | str, flags: int) -> int:
    """Open a file, and nothing that waits for a writer or leads elsewhere; return its number."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        raise _strange(path) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _strange(path)
    return descriptor


def _strange(path: Path | str) -> StoreUnavailable:
    return StoreUnavailable(
        f"store {path}: expected a file, found a link, a pipe or a folder; the store made no such "
        "thing: remove it"
    )


def names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return []
