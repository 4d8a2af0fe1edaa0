"""A server that is not Redis: answers whatever it is sent in a way of its own."""

import socketserver
import threading
from collections.abc import Callable
from typing import Self


class ForeignServer:
    """Listens on a free port of 127.0.0.1; a context manager that starts and stops it.

    Args:
        answer: makes an answer to each piece that is received.
    """

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    while received := self.request.recv(65536):
                        self.request.sendall(answer(received))
                except OSError:
                    pass  # the client went

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
