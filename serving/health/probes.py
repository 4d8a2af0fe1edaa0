"""`/livez` and `/readyz` on a port of loopback: for Kubernetes, systemd and load balancers.

TorchServe's own /ping says Healthy while its worker is dead, and its port knows no route of ours.
The worker answers here itself, so a port that is closed says that there is none.
"""

import json
import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from serving.protocol import REQUEST_ID_HEADER
from serving.tracing.origin import origin_of

_HOST: Final = "127.0.0.1"
_PATIENCE_S: Final = 5.0
"""With whoever connects and says nothing."""

_log = logging.getLogger(__name__)

Why = Callable[[], str | None]
"""Returns why not; None if all is well."""


def serve_probes(port: int, why_not: dict[str, Why]) -> ThreadingHTTPServer | None:
    """Answer probes from now on, in threads of their own.

    Args:
        port: of loopback; 0 takes a free one.
        why_not: for each route.

    Returns:
        None if the port is taken, which is logged: the service goes on without.
    """

    class Probes(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S

        def do_GET(self) -> None:
            route = why_not.get(self.path.partition("?")[0])
            reason = "no such route" if route is None else route()
            status = 404 if route is None else 503 if reason else 200
            body = json.dumps({"ok": reason is None, "reason": reason}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header(REQUEST_ID_HEADER, origin_of(self.headers.get).request_id)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer((_HOST, port), Probes)
    except OSError as error:
        _log.warning("port %d answers no probes (%s); choose another one", port, error)
        return None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server
