"""What a caller shows with each request: a tenant's key, the service's token. Knows no routes.

Tokens run out. One that is read from a file is read again when the service refuses it, and the call
is sent again, so that replacing the file interrupts nobody.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import httpx

from clients.errors import is_bad_token
from serving.protocol import KEY_HEADER

_LOOK_S = 0.01
_LOOKS = 100
"""A refused call looks for another token so often, and waits so long in between."""


class Credentials(httpx.Auth):
    """Puts the headers on every request.

    Args:
        api_key: a tenant's key; None shows none.
        token: the service's; None shows none.
        token_file: a file that holds the token as text, or TorchServe's own `key_file.json`.

    Raises:
        ValueError: both a token and a file, or what cannot travel in a header.
        OSError: the file cannot be read.
    """

    def __init__(
        self,
        api_key: str | None = None,
        token: str | None = None,
        token_file: str | Path | None = None,
    ) -> None:
        if token is not None and token_file is not None:
            raise ValueError("expected a token or the file of one, found both; give one of them")
        self._api_key = None if api_key is None else _printable("api_key", api_key)
        self._file = None if token_file is None else Path(token_file)
        self._token = None if token is None else _printable("token", token)
        if self._file is not None:
            self._token = read_token(self._file)

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request with what we have, and again with each new token while it is refused."""
        shown = self._token
        response = yield self._prepared(request)
        response.read()
        for _ in range(_LOOKS):
            if not self._may_be_renewed(response):
                return
            if self._renewed(shown):
                shown = self._token
                response = yield self._prepared(request)
                response.read()
            else:
                time.sleep(_LOOK_S)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Do the same without holding up the event loop."""
        shown = self._token
        response = yield self._prepared(request)
        await response.aread()
        for _ in range(_LOOKS):
            if not self._may_be_renewed(response):
                return
            if self._renewed(shown):
                shown = self._token
                response = yield self._prepared(request)
                await response.aread()
            else:
                await asyncio.sleep(_LOOK_S)

    def _prepared(self, request: httpx.Request) -> httpx.Request:
        if self._api_key is not None:
            request.headers[KEY_HEADER] = self._api_key
        return self._with_token(request)

    def _may_be_renewed(self, response: httpx.Response) -> bool:
        """Return whether the token was refused, and a file may soon hold another.

        TorchServe knows a new token before the file does.
        """
        return self._file is not None and is_bad_token(response.status_code, response.content)

    def _renewed(self, shown: str | None) -> bool:
        """Read the file, and return whether it holds another token than the one shown."""
        if self._file is not None:
            self._token = read_token(self._file)
        return self._token != shown

    def _with_token(self, request: httpx.Request) -> httpx.Request:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def read_token(path: Path) -> str:
    """Return the token that a file holds.

    Args:
        path: text, or JSON as TorchServe writes it, of which the inference key is taken.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no token.
    """
    text = path.read_text(encoding="utf-8").strip()
    if text.startswith("{"):
        try:
            text = json.loads(text)["inference"]["key"]
        except (ValueError, KeyError, TypeError) as err:
            raise ValueError(
                f"{path}: expected a token, or JSON with inference.key as TorchServe writes it"
            ) from err
    return _printable(str(path), text)


def _printable(what: str, text: object) -> str:
    """Return a secret that can travel in a header; errors do not repeat it."""
    if isinstance(text, str) and text and text.isascii() and text.isprintable() and " " not in text:
        return text
    raise ValueError(f"{what}: expected printable ASCII without spaces")
