"""The sockets: HTTP on loopback by the standard library, a thread for each connection.

One person's browser asks here. The standard library does that, so the page comes with the plain
client, without the packages of a service.
"""

import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from clients.playground.guard import SAFE_HEADERS
from clients.playground.messages import Refused, Reply, Request, json_reply

HOST: Final = "127.0.0.1"
MAX_BODY_BYTES: Final = 32_000_000
"""More than a service takes, so that the service itself says what is too large for it."""


class LoopbackServer(ThreadingHTTPServer):
    """Listens at once; answers when it is told how.

    Args:
        port: 0 takes a free one.

    Raises:
        OSError: the port is taken; names it.
    """

    daemon_threads = True
    answer: Callable[[Request], Reply]

    def __init__(self, port: int) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            what = f"{error.strerror}; choose another port, or 0 for a free one"
            raise OSError(error.errno, what, f"{HOST}:{port}") from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet of a browser that has gone; tell of all else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "spt-playground"
    sys_version = ""
    timeout = 60
    server: LoopbackServer

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._end(Refused(411, "bad_parameter", "expected a Content-Length"))
        elif int(length) > MAX_BODY_BYTES:
            text = f"expected an image of at most {MAX_BODY_BYTES:,} bytes, found {int(length):,}"
            self._end(Refused(413, "image_too_large", text))
        else:
            self._answer(self.rfile.read(int(length)))

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""

    def _answer(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self._send(self.server.answer(Request(self.command, parts.path, query, headers, body)))

    def _end(self, refused: Refused) -> None:
        """Answer without reading the body, after which the connection is of no use."""
        self.close_connection = True
        self._send(json_reply(refused.body, refused.status))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in {**SAFE_HEADERS, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
