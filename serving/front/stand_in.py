"""Answers callers while no process of the front can: what they ask helps to be asked again."""

import json
import socket
from threading import Thread
from typing import Final

from starlette.types import Receive, Scope, Send
from uvicorn import Config, Server

from serving.dialects.plain import PLAIN_PATHS, plain_refusal
from serving.door.replies import Reply, refusal
from serving.errors import DeviceAway, to_wire
from serving.front.app import PROBES
from serving.front.exchange import Exchange
from serving.front.protocol import BoundedProtocol
from serving.tracing.asgi import RequestIds

_REASON: Final = "it is being started"
_AWAY: Final = DeviceAway("the service is being started; ask again in a moment")
_TOLD: Final = refusal(_AWAY)
_TOLD_PLAINLY: Final = plain_refusal(to_wire(_AWAY, None))
_PROBED: Final = Reply(503, {}, json.dumps({"ok": False, "reason": _REASON}).encode())

_LEAVE_S: Final = 2
"""At the end: longest wait for those who are just being answered."""


class StandIn:
    """Answers at a port for those who should.

    Args:
        ear: is bound to the port; stays open.
    """

    def __init__(self, ear: socket.socket) -> None:
        self._ear = ear
        self._server: Server | None = None
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Tell whoever comes to come again; nothing where that is done already."""
        if self._server is not None:
            return
        self._server = Server(
            Config(
                RequestIds(_tell),
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_LEAVE_S,
            )
        )
        ears = [self._ear.dup()]  # of its own, which it closes
        self._thread = Thread(target=self._server.run, args=(ears,), name="stand-in", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Leave to others who comes from now on; nothing where that is so already."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = self._thread = None


async def _tell(scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["path"]
    told = _TOLD_PLAINLY if path.startswith(PLAIN_PATHS) else _TOLD
    await Exchange(scope, receive, send).reply(_PROBED if path in PROBES else told)
