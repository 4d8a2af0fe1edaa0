"""uvicorn's HTTP, with bounds on a request's head, and an end that cuts off nobody.

uvicorn bounds what it holds of a body. It bounds neither the size of a head nor the time for it,
and when it is told to end it closes connections whose request is just on its way.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 65_536
"""Of a request's line and headers, at most, beside the piece that they begin in."""

HEAD_S: Final = 10.0
"""Longest wait for a new connection's first request, and for the rest of a head that has begun."""

GRACE_S: Final = 1.0
"""At the end: longest wait for a request on a connection that is not in the middle of one."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection of the front."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._is_in_head = False
        self._is_ending = False
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes, unless it is a head without an end."""
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0
        self._wait(HEAD_S)

    def on_headers_complete(self) -> None:
        """Let the app go on with a head that is whole."""
        self._is_in_head = False
        self._wait(None)
        super().on_headers_complete()
        if self._is_ending:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """End after what has been asked, and what may be on its way."""
        self._is_ending = True
        if self.cycle is None or self.cycle.response_complete:
            self._wait(GRACE_S)
        else:
            self.cycle.keep_alive = False

    def _wait(self, seconds: float | None) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = None if seconds is None else self.loop.call_later(seconds, self._refuse)

    def _refuse(self) -> None:
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self.send_400_response("The request's head is too long, or took too long to come.")
        else:
            self.transport.close()
