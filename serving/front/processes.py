"""The front's processes: as many as are asked for, each begun again when it has ended."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from uvicorn import Config
from uvicorn.supervisors import Multiprocess

from serving.front.protocol import BoundedProtocol
from serving.newcomers import turn_away

_KEEP_ALIVE_S: Final = 75
"""How long a caller may keep a connection without asking; longer than a client keeps one idle."""

_LEAVE_S: Final = 1.0
"""How long callers are told to ask elsewhere before the port refuses them."""

_HUNG_S: Final = 60
"""A process that shows no sign of life for so long, while it loads or later, is ended."""


class Service(NamedTuple):
    """What the processes serve.

    Attributes:
        app: makes the ASGI app, in each process; a function of a module, or a partial one.
        port: of loopback.
        processes: how many.
        drain_s: longest wait for open requests at the end.
    """

    app: Callable[[], object]
    port: int
    processes: int
    drain_s: float


def serve(service: Service, begin_to_stop: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, and answer then whoever has asked.

    Args:
        service: what.
        begin_to_stop: tells the processes, and who watches them, that the end is near.

    Raises:
        OSError: the port is taken.
    """
    config = Config(
        service.app,
        factory=True,
        workers=service.processes,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(service.drain_s)),
        timeout_worker_healthcheck=_HUNG_S,
    )
    with socket.socket() as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind(("127.0.0.1", service.port))
        _Processes(config, ear, begin_to_stop).run()


class _Processes(Multiprocess):
    """uvicorn's, which lets callers go before it ends."""

    def __init__(
        self, config: Config, ear: socket.socket, begin_to_stop: Callable[[], None]
    ) -> None:
        super().__init__(config, sockets=[ear])
        self._begin_to_stop = begin_to_stop

    def terminate_all(self) -> None:
        """End all processes, after a while in which they send callers away."""
        self._begin_to_stop()
        time.sleep(_LEAVE_S)
        for ear in self.sockets:
            with suppress(OSError):
                turn_away(ear)
            ear.close()  # or newcomers would wait at a port that nobody looks at
        super().terminate_all()
