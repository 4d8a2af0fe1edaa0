"""`/livez`, `/readyz` and what else is told of a worker, on a port of loopback.

For Kubernetes, systemd, load balancers and Prometheus.

TorchServe's own /ping says Healthy while its worker is dead, and its port knows no route of ours.
The worker answers here itself, so a port that is closed says that there is none.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple

from serving.protocol import REQUEST_ID_HEADER
from serving.tracing.origin import origin_of

_HOST: Final = "127.0.0.1"
_PATIENCE_S: Final = 5.0
"""With whoever connects and says nothing."""

_log = logging.getLogger(__name__)

Why = Callable[[], str | None]
"""Returns why not; None if all is well."""


_JSON: Final = "application/json"


class Page(NamedTuple):
    """What a route tells.

    Attributes:
        content_type: of HTTP.
        text: makes it.
    """

    content_type: str
    text: Callable[[], bytes]


class _Told(NamedTuple):
    status: int
    content_type: str
    body: bytes


def serve_probes(
    port: int, why_not: Mapping[str, Why], pages: Mapping[str, Page] = {}
) -> ThreadingHTTPServer | None:
    """Answer probes from now on, in threads of their own.

    Args:
        port: of loopback; 0 takes a free one.
        why_not: for each route of a probe.
        pages: for each other route.

    Returns:
        None if the port is taken, which is logged: the service goes on without.
    """

    class Probes(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S

        def do_GET(self) -> None:
            route = self.path.partition("?")[0]
            told = _page(pages[route]) if route in pages else _probe(why_not.get(route))
            self.send_response(told.status)
            self.send_header("Content-Type", told.content_type)
            self.send_header("Content-Length", str(len(told.body)))
            self.send_header(REQUEST_ID_HEADER, origin_of(self.headers.get).request_id)
            self.end_headers()
            self.wfile.write(told.body)

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


def _probe(why_not: Why | None) -> _Told:
    reason = "no such route" if why_not is None else why_not()
    status = 404 if why_not is None else 503 if reason else 200
    return _Told(status, _JSON, json.dumps({"ok": reason is None, "reason": reason}).encode())


def _page(page: Page) -> _Told:
    try:
        return _Told(200, page.content_type, page.text())
    except OSError as error:  # what it is made of is gone: the service is stopping
        _log.info("a page cannot be made: %s", error)
        return _Told(503, "text/plain", b"")
