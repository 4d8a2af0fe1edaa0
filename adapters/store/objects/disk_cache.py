"""Versions that were read from a bucket, in a folder of this machine, up to so many bytes.

A file is named by the digest of its bytes, and is only used if it still has it. So the folder may
be shared by processes, damaged or emptied at any time.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from adapters.artifact.codec import version_of

_SUFFIX: Final = ".safetensors"
_UNFINISHED: Final = ".writing"


class DiskCache:
    """A folder of versions, of which those that were read last stay.

    A disk that refuses costs nothing but the cache.

    Args:
        folder: made where it is missing.
        budget_bytes: of all its files.
    """

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self._folder = folder
        self._budget_bytes = budget_bytes

    def get(self, version: str) -> bytes | None:
        """Return the bytes of a version, None if they are not here, or not whole."""
        path = self._folder / f"{version}{_SUFFIX}"
        try:
            data = path.read_bytes()
            if version_of(data) != version:
                path.unlink()
                return None
            os.utime(path)  # read last
        except OSError:
            return None
        return data

    def put(self, version: str, data: bytes) -> None:
        """Keep a version; what was not read for the longest time goes."""
        if len(data) > self._budget_bytes or version_of(data) != version:
            return
        temporary = self._folder / f".{version}.{secrets.token_hex(4)}{_UNFINISHED}"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(data)
                temporary.replace(self._folder / f"{version}{_SUFFIX}")
            finally:
                temporary.unlink(missing_ok=True)
            self._make_room()

    def _make_room(self) -> None:
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith((_SUFFIX, _UNFINISHED)):
                    with suppress(FileNotFoundError):
                        status = entry.stat()
                        found.append((status.st_mtime, status.st_size, entry.path))
        held = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if held <= self._budget_bytes:
                return
            with suppress(FileNotFoundError):
                Path(path).unlink()
            held -= size
