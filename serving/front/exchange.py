"""One request over ASGI: its head, its body as it comes and within bounds, and its one reply."""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from adapters.errors import ImageTooLarge
from serving.door.fields import Pairs
from serving.door.replies import CONTENT_TYPE, Reply
from serving.errors import BadParameter, BodyTooSlow
from serving.front.room import Loan

STALL_S: Final = 10.0
"""Longest wait for the next byte of a body."""

_LEAST_BYTES_PER_S: Final = 50_000
"""A body that comes more slowly than this, over all and after the first wait, is given up."""

_LINGER_S: Final = 2.0
"""How long a caller whose body is refused may go on sending it, so that it hears why."""

_MAX_PARAMETERS: Final = 16


class Exchange:
    """A request and its reply.

    Args:
        scope: of ASGI.
        receive: likewise.
        send: likewise.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = Headers(scope=scope)
        self._is_whole = not self._promises_body()

    def header(self, name: str) -> str | None:
        """Return a header's value; None if it is not there, or twice with different values."""
        found = set(self._headers.getlist(name))
        return found.pop() if len(found) == 1 else None

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of the path that its route names."""
        found: Mapping[str, str] = self._scope.get("path_params", {})
        return found

    def query(self) -> Pairs:
        """Return the parameters of the request's line.

        Raises:
            BadParameter: there are more than anybody needs.
        """
        text = self._scope["query_string"].decode("latin-1")
        try:
            return parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError as error:
            raise BadParameter(
                f"more than {_MAX_PARAMETERS} parameters; name each of those that there are once"
            ) from error

    @property
    def promised_bytes(self) -> int:
        """How long the body is to be; 0 where the request does not say so."""
        return int(self._headers.get("content-length", "0"))

    async def body(self, loan: Loan, most_bytes: int) -> bytes:
        """Wait for the body, whose promised bytes the loan has already.

        Args:
            loan: grows with a body that comes without a promise.
            most_bytes: that a body may have.

        Raises:
            ClientDisconnect: the caller has gone.
            BodyTooSlow: the caller stalls, or sends a byte now and then.
            ImageTooLarge: a body without a promise is too long.
            ServiceBusy: there is no room for it.
        """
        loop = asyncio.get_running_loop()
        chunks: list[bytes] = []
        came = 0
        expected = self.promised_bytes or most_bytes
        latest = loop.time() + STALL_S + expected / _LEAST_BYTES_PER_S
        try:
            async with asyncio.timeout(STALL_S) as patience:
                while not self._is_whole:
                    chunks.append(await self._next())
                    came += len(chunks[-1])
                    if came > most_bytes:
                        raise too_large(most_bytes)
                    loan.add(num_bytes=max(0, came - loan.num_bytes))
                    patience.reschedule(min(loop.time() + STALL_S, latest))
        except TimeoutError as error:
            raise BodyTooSlow(
                f"{came:,} bytes of the body came, and then nothing for too long; send it again, "
                "faster"
            ) from error
        return b"".join(chunks)

    async def gone(self) -> None:
        """Return once the caller has gone; after the body."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def reply(self, reply: Reply) -> None:
        """Answer; a caller whose body was refused may say the rest of it first, for a moment."""
        last = self._is_whole
        await self._send(self._start(reply, last=last))
        await self._send({"type": "http.response.body", "body": reply.body, "more_body": not last})
        if not last:
            await self._let_speak()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _promises_body(self) -> bool:
        return "transfer-encoding" in self._headers or self.promised_bytes > 0

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self._is_whole = not message.get("more_body", False)
        return message.get("body", b"")

    async def _let_speak(self) -> None:
        """Throw away what still comes: a connection closed under a sender takes the reply along."""
        try:
            async with asyncio.timeout(_LINGER_S):
                while not self._is_whole:
                    await self._next()
        except (TimeoutError, ClientDisconnect):
            pass

    def _start(self, reply: Reply, *, last: bool) -> Message:
        fixed = {"content-type": CONTENT_TYPE, "content-length": str(len(reply.body))}
        own = fixed | ({} if last else {"connection": "close"}) | reply.headers
        headers = [(name.lower().encode(), value.encode()) for name, value in own.items()]
        return {"type": "http.response.start", "status": reply.status, "headers": headers}


def too_large(most_bytes: int) -> ImageTooLarge:
    """Return why a body is refused."""
    return ImageTooLarge(
        f"the body has more bytes than the limit of {most_bytes:,}; send a smaller image"
    )
