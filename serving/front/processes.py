"""The front's processes: as many as are asked for, each begun again when it has ended."""

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Final, NamedTuple

from uvicorn import Config
from uvicorn.supervisors import Multiprocess

from serving.front.protocol import BoundedProtocol
from serving.front.stand_in import StandIn
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
        host: IP address at which it listens.
        port: at that address.
        processes: how many.
        drain_s: longest wait for open requests at the end.
    """

    app: Callable[[], object]
    host: str
    port: int
    processes: int
    drain_s: float


def serve(service: Service) -> None:
    """Serve until SIGTERM or SIGINT, and answer then whoever has asked.

    Args:
        service: what.

    Raises:
        OSError: the port is taken.
    """
    config = Config(
        partial(_made, service.app),
        factory=True,
        workers=service.processes,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,  # its lines are written as ours
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(service.drain_s)),
        timeout_worker_healthcheck=_HUNG_S,
    )
    family = socket.AF_INET6 if ":" in service.host else socket.AF_INET
    with socket.socket(family) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind((service.host, service.port))
        _Processes(config, ear).run()


def _made(app: Callable[[], object]) -> object:
    """Make the app of one process, which ends at once when it is told to meanwhile."""
    _follow_parent()
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        return app()
    finally:
        signal.signal(signal.SIGTERM, handler)


def _follow_parent() -> None:
    """Have this process told to end as soon as its parent has, which may have been killed.

    Nobody would begin it again, and it would keep the port from those who follow.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=follow, name="parent", daemon=True).start()


class _Processes(Multiprocess):
    """uvicorn's, with somebody who answers while none of them can; lets callers go at the end.

    Args:
        config: of uvicorn.
        ear: is bound to the port.
    """

    def __init__(self, config: Config, ear: socket.socket) -> None:
        super().__init__(config, [ear])
        self._stand_in = StandIn(ear)
        self._answering = set[int | None]()
        self._has_answered = False

    def keep_subprocess_alive(self) -> None:
        """Begin those again that have ended, also while they were asked for a sign of life."""
        self._let_go()
        answering = (one for one in self.processes if one.pid in self._answering)
        # not before the first: who starts us takes the first answer for theirs
        if self._has_answered and not any(one.process.is_alive() for one in answering):
            self._stand_in.begin()
        super().keep_subprocess_alive()
        self._let_go()
        patience_s = self.config.timeout_worker_healthcheck
        self._answering = {one.pid for one in self.processes if one.is_ready(patience_s)}
        if self._answering:
            self._has_answered = True
            self._stand_in.end()

    def terminate_all(self) -> None:
        """End all processes, after a while in which they send callers away."""
        time.sleep(_LEAVE_S)
        self._stand_in.end()
        for ear in self.sockets:
            with suppress(OSError):
                turn_away(ear)
            ear.close()  # or newcomers would wait at a port that nobody looks at
        super().terminate_all()

    def _let_go(self) -> None:
        for process in self.processes:
            process.child_conn.close()  # while we hold its end as well, nobody hears that it ended
