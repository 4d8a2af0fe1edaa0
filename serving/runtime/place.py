"""Where a launch's device process listens, in an address that is never too long."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SOCKET: Final = "device.sock"
"""In the launch's folder."""


@contextmanager
def address_in(folder: Path) -> Iterator[str]:
    """Yield the address of a folder's socket, short enough for the kernel: a hundred characters.

    Raises:
        OSError: the folder is not there.
    """
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
