"""As little HTTP as a load needs: httpx would take from the service the cores it is measured on."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from clients.errors import ServiceUnreachable, from_response
from serving.protocol import Answer

TIMEOUT_S = 120.0
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LeanClient:
    """Stands in for `AsyncClient` under a load; keeps connections alive, opens what it lacks.

    Args:
        url: the service's address.
        model_of: the TorchServe model that answers for a task.
    """

    def __init__(self, url: str, model_of: Callable[[str], str] = lambda _: "spt") -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname, address.port
        self._model_of = model_of
        self._idle: list[Stream] = []

    async def predict_with_batch(
        self, image: bytes, *, task: str, top_k: int
    ) -> tuple[Answer, None]:
        """Ask once; raise what `AsyncClient` would raise."""
        sent = self.sent(image)
        head = (
            f"{self.head(task, top_k)}\r\nHost: {self._host}\r\nContent-Length: {len(sent)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, body = await self._exchange((head.encode(), sent))
        except (OSError, EOFError) as error:
            raise ServiceUnreachable(f"no answer: {error!r}") from error
        if status != 200:
            raise from_response(status, body)
        return self.answer(body), None

    def head(self, task: str, top_k: int) -> str:
        """Return the first lines of a request."""
        return (
            f"POST /{self._model_of(task)}/predict?task={task}&top_k={top_k} HTTP/1.1\r\n"
            "Content-Type: application/octet-stream"
        )

    def sent(self, image: bytes) -> bytes:
        """Return the body of a request."""
        return image

    def answer(self, body: bytes) -> Answer:
        """Return what the body of a good response says."""
        return Answer.model_validate_json(body)

    async def _exchange(self, request: tuple[bytes, bytes]) -> tuple[int, bytes]:
        stream = self._idle.pop() if self._idle else await self._connect()
        reader, writer = stream
        try:
            writer.writelines(request)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length))
        except BaseException:
            writer.close()
            raise
        self._idle.append(stream)
        return int(head.split(None, 2)[1]), body

    async def _connect(self) -> Stream:
        return await asyncio.open_connection(self._host, self._port)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for _, writer in self._idle:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
