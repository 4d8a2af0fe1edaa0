"""The file of tenants, followed while the service runs. Knows nothing of what is in it.

A thread looks once a second whether the file has changed, so that no request waits for a disk. A
file that is gone or wrong is logged, and the tenants before it stay.
"""

import logging
import os
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from serving.door.tenants import TenantList, parse_tenants
from serving.errors import ConfigError

_log = logging.getLogger(__name__)


class _Stamp(NamedTuple):
    """What tells one state of a file from the next."""

    inode: int
    modified_ns: int
    size: int


class TenantsFile:
    """The tenants of a file, as they are now.

    Args:
        path: the file; replace it by renaming, or what is half written may be read and logged.
        period_s: how often it is looked at.

    Raises:
        ConfigError: the file is missing or wrong when the service starts.
    """

    def __init__(self, path: Path, *, period_s: float = 1.0) -> None:
        self._path = path
        self._seen, self._tenants = read_tenants(path)
        self._fault = ""
        self._closed = Event()
        Thread(target=self._follow, args=[period_s], name="tenants", daemon=True).start()

    @property
    def tenants(self) -> TenantList:
        """The tenants of the last file that was right."""
        return self._tenants

    def look(self) -> None:
        """Read the file if it has changed since; log what is wrong with it, once."""
        try:
            if _stamp(self._path) != self._seen:
                self._seen, self._tenants = read_tenants(self._path)
                _log.warning("tenants %s: read again", self._path)
            self._fault = ""
        except (ConfigError, OSError) as error:
            if str(error) != self._fault:
                _log.error("the tenants stay as they were: %s", error)
            self._fault = str(error)

    def close(self) -> None:
        """Let the thread go."""
        self._closed.set()

    def _follow(self, period_s: float) -> None:
        while not self._closed.wait(period_s):
            self.look()


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return _Stamp(found.st_ino, found.st_mtime_ns, found.st_size)


def read_tenants(path: Path) -> tuple[_Stamp, TenantList]:
    """Return the tenants of a file, and what tells its state from the next.

    Raises:
        ConfigError: it is missing or wrong.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read()
    except OSError as error:
        raise ConfigError(
            f"tenants {path} cannot be read ({error.strerror}); check the path, or serve without "
            "'tenants'"
        ) from error
    stamp = _Stamp(found.st_ino, found.st_mtime_ns, found.st_size)
    return stamp, parse_tenants(data, path)
