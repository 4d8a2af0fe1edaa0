"""The token that callers must show, read from the launch's file; a new one counts at once."""

import hmac
from pathlib import Path
from typing import Final

from serving.errors import BadToken

_SCHEME: Final = "bearer "


class TokenFile:
    """The token of a file that only its owner may read.

    Args:
        path: replaced in one step; while it is gone, nobody is let in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._token = b""

    def check(self, authorization: str | None) -> None:
        """Let a call pass.

        Args:
            authorization: its header of that name.

        Raises:
            BadToken: it has no token, or another one.
        """
        shown = authorization or ""
        is_bearer = shown[: len(_SCHEME)].lower() == _SCHEME
        token = shown[len(_SCHEME) :].strip().encode() if is_bearer else b""
        expected = self._now()
        if not (expected and hmac.compare_digest(token, expected)):
            found = "another one" if token else "none"
            raise BadToken(
                f"expected the service's token in the header Authorization, as 'Bearer …'; found "
                f"{found}"
            )

    def _now(self) -> bytes:
        try:
            status = self._path.stat()
            if (stamp := (status.st_ino, status.st_mtime_ns)) != self._seen:
                self._seen, self._token = stamp, self._path.read_bytes().strip()
        except OSError:
            return b""
        return self._token
