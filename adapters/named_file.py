"""Reads a file that a person has named: whole, and nothing that never ends or is far too large."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1 << 28
"""Of any file that is read whole, an artifact among them; a sparse one may say that it has more."""


def read_named(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what a file holds.

    Args:
        path: of the file, or of a link to it.
        most: bytes that it may have.

    Raises:
        OSError: it is not there or may not be read, is a pipe or a device, or is larger.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "expected a file, found a pipe or a device", str(path))
        if status.st_size > most:
            size = f"expected {most:,} bytes at most, found {status.st_size:,}"
            raise OSError(errno.EFBIG, size, str(path))
        return file.read()
