"""Where Java and its workers meet: folders whose paths are short enough for a socket."""

import tempfile
from pathlib import Path
from typing import Final

_ROOM: Final = 108 - len("/spt-12345678/.ts.sock.65535") - 1
"""What the path of a socket, which is 108 bytes at most, leaves for the folder of the scratch."""

_SHORT: Final = Path("/tmp")


def make_scratch() -> Path:
    """Make an empty folder for one TorchServe, where temporary files go if its path is short."""
    usual = Path(tempfile.gettempdir())
    too_long = len(bytes(usual)) > _ROOM
    return Path(tempfile.mkdtemp(prefix="spt-", dir=_SHORT if too_long else usual))
