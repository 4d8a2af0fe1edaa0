"""An ASGI app around another one: each request gets an id, which its reply has, whatever it is."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.protocol import REQUEST_ID_HEADER
from serving.tracing.origin import about, origin_of
from serving.tracing.requests import REQUESTS


class RequestIds:
    """Gives ids, and takes over those that callers bring.

    Args:
        app: answers.
        untraced: paths whose requests are no spans, such as those of probes.
    """

    def __init__(self, app: ASGIApp, untraced: Collection[str] = ()) -> None:
        self._app = app
        self._untraced = frozenset(untraced)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have one request answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        def header(name: str) -> str | None:
            found = headers.getlist(name)
            return found[0] if len(found) == 1 else None

        origin = origin_of(header)
        named = (REQUEST_ID_HEADER.lower().encode(), origin.request_id.encode())
        path = scope["path"]
        name = None if path in self._untraced else f"{scope['method']} {path}"
        with REQUESTS.begun(name, origin) as begun:

            async def send_named(message: Message) -> None:
                if message["type"] == "http.response.start":
                    begun.answered(message["status"])
                    message = {**message, "headers": [*message.get("headers", ()), named]}
                await send(message)

            with about(begun.origin):
                await self._app(scope, receive, send_named)
