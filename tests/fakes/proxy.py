"""A TCP proxy on 127.0.0.1 whose network can be made slow, dead or absent while it runs."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self

_HOST = "127.0.0.1"


class Proxy:
    """Passes connections to a port of this machine; a context manager that starts and stops it.

    Args:
        target_port: whom it stands in front of; may change while it runs, for new connections.
        tls: with one, its clients speak TLS and the target does not.
    """

    def __init__(self, target_port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self.target_port = target_port
        self.port = 0
        self._tls = tls
        self._delay_s = 0.0
        self._flows = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def passes(self) -> None:
        """Let everything through at once, also what was held back."""
        self._do(self._set_up(0.0, flows=True))

    def delays(self, seconds: float) -> None:
        """Let every answer arrive so many seconds late."""
        self._do(self._set_up(seconds, flows=True))

    def swallows(self) -> None:
        """Take connections and bytes and let nothing through, as if the network dropped it all."""
        self._do(self._set_up(0.0, flows=False))

    def refuses(self) -> None:
        """Break off all connections and refuse new ones, like a machine without the server."""
        self._do(self._shut())

    def breaks_off(self) -> None:
        """Break off all connections, and take new ones."""
        self._do(self._abort())

    def __enter__(self) -> Self:
        self._thread.start()
        self.passes()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuses()
        self._do(_finish_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _set_up(self, delay_s: float, *, flows: bool) -> None:
        self._delay_s = delay_s
        self._flows.set() if flows else self._flows.clear()
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, _HOST, self.port, ssl=self._tls, reuse_address=True
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._abort()

    async def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        self._writers.add(answers)
        target = None
        try:
            await self._flows.wait()
            server, target = await asyncio.open_connection(_HOST, self.target_port)
            self._writers.add(target)
            await asyncio.gather(
                self._pump(client, target, lambda: 0.0),
                self._pump(server, answers, lambda: self._delay_s),
            )
        except OSError:
            pass  # the target is not there, or one side went: the other is told below
        finally:
            for writer in (answers, target):
                if writer is not None:
                    self._writers.discard(writer)
                    writer.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        delay_s: Callable[[], float],
    ) -> None:
        """Pass on what comes, in order, each piece after the delay of the moment it came."""
        due = 0.0
        while data := await reader.read(65536):
            await self._flows.wait()
            due = max(due + 1e-6, self._loop.time() + delay_s())
            self._loop.call_at(due, _write, writer, data)
        raise ConnectionResetError("the other side went")


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)


async def _finish_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
