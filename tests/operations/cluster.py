"""A Kubernetes API that knows kinds of objects and keeps none: it notes what Helm would create."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

Object = dict[str, Any]

_KINDS = {
    "v1": ("Secret", "Service", "ConfigMap", "PersistentVolumeClaim"),
    "apps/v1": ("Deployment",),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "policy/v1": ("PodDisruptionBudget",),
    "monitoring.coreos.com/v1": ("PodMonitor", "PrometheusRule"),
    "keda.sh/v1alpha1": ("ScaledObject",),
}
"""Of each group and version, what the chart may ask for."""


class Cluster:
    """What was created in it.

    Args:
        kubeconfig: where to write how it is reached.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.created: list[Object] = []


@contextmanager
def cluster(kubeconfig: Path) -> Iterator[Cluster]:
    """Answer on loopback as an empty cluster does, for as long as the block runs."""
    found = Cluster(kubeconfig)

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known = _known(self.path.partition("?")[0])
            self._say(404 if known is None else 200, known or _MISSING)

        def do_POST(self) -> None:
            one = self._body()
            found.created.append(one)
            self._say(201, one)

        def do_PUT(self) -> None:
            self._say(200, self._body())

        def log_message(self, *_: object) -> None:
            pass

        def _body(self) -> Object:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            # Helm's own record comes as protobuf, and nobody looks into it
            return json.loads(raw) if raw.startswith(b"{") else _RECORD

        def _say(self, status: int, told: Object) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    kubeconfig.write_text(json.dumps(_config(server.server_address[1])))
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


_MISSING = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound"}
_RECORD = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "record"}}


def _known(path: str) -> Object | None:
    if path == "/version":
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()}
    if match := re.fullmatch(r"/apis?/(.+)", path):
        if match[1] in _KINDS:
            return {"kind": "APIResourceList", "groupVersion": match[1], "resources": _of(match[1])}
        if match[1].endswith("/secrets"):
            return {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": []}
    return None


def _groups() -> list[Object]:
    named = [name.split("/") for name in _KINDS if "/" in name]
    return [
        {"name": group, "versions": [{"groupVersion": f"{group}/{version}", "version": version}]}
        for group, version in named
    ]


def _of(group: str) -> list[Object]:
    verbs = ["create", "delete", "get", "list", "patch", "update"]
    return [
        {"name": f"{kind.lower()}s", "kind": kind, "namespaced": True, "verbs": verbs}
        for kind in _KINDS[group]
    ]


def _config(port: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "own", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "own", "user": {}}],
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
        "current-context": "own",
    }
