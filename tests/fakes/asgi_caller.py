"""A caller of an ASGI app, who sends what it is told to, when it is told to."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.types import ASGIApp, Message

GONE: Message = {"type": "http.disconnect"}


class Caller:
    """One request.

    Args:
        query: of its line.
        headers: of the request.
        path: likewise.
        method: likewise.

    Attributes:
        num_read: messages that the app has asked for.
        num_read_before_reply: of them, those before it began to answer.
        sent: what the app has sent.
    """

    def __init__(
        self,
        query: str = "task=pets",
        headers: Mapping[str, str] = {},
        *,
        path: str = "/spt/predict",
        method: str = "POST",
    ) -> None:
        self.scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        }
        self.num_read = 0
        self.num_read_before_reply: int | None = None
        self.sent: list[Message] = []
        self._coming: asyncio.Queue[Message] = asyncio.Queue()

    def say(self, *chunks: bytes, more: bool = False) -> "Caller":
        """Send parts of the body."""
        for i, chunk in enumerate(chunks, start=1):
            last = i == len(chunks) and not more
            self._coming.put_nowait({"type": "http.request", "body": chunk, "more_body": not last})
        return self

    def leave(self) -> None:
        """Go away."""
        self._coming.put_nowait(GONE)

    async def ask(self, app: ASGIApp) -> "Caller":
        """Have the app answer."""
        await app(self.scope, self._receive, self._send)
        return self

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def code(self) -> str:
        return self.body["error"]["code"]

    @property
    def body(self) -> Any:
        return json.loads(b"".join(one.get("body", b"") for one in self.sent[1:]))

    async def _receive(self) -> Message:
        self.num_read += 1
        return await self._coming.get()

    async def _send(self, message: Message) -> None:
        if not self.sent:
            self.num_read_before_reply = self.num_read
        self.sent.append(message)


def sized(body: bytes, **headers: str) -> dict[str, str]:
    """Return the headers of a request with a body of that length."""
    return {"Content-Length": str(len(body))} | headers


def statuses(callers: Sequence[Caller]) -> list[int]:
    """Return what each was told."""
    return [caller.status for caller in callers]
