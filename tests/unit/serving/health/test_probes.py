"""Whoever asks a worker over HTTP whether it lives and takes callers is told the truth."""

import http.client
import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from serving.health.probes import Page, serve_probes


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = serve_probes(0, {"/livez": lambda: None, "/readyz": lambda: "it is stopping"})
    assert server is not None
    yield server
    server.shutdown()
    server.server_close()


def asked(server: ThreadingHTTPServer, route: str) -> tuple[int, object]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    try:
        connection.request("GET", route)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_each_route_has_its_own_answer(server: ThreadingHTTPServer) -> None:
    assert asked(server, "/livez") == (200, {"ok": True, "reason": None})
    assert asked(server, "/readyz?verbose") == (503, {"ok": False, "reason": "it is stopping"})
    assert asked(server, "/nowhere")[0] == 404


def test_a_page_is_shown_as_it_is_and_503_once_it_cannot_be_made() -> None:
    texts = [b"spt_ready 1\n"]

    def text() -> bytes:
        if texts:
            return texts.pop()
        raise FileNotFoundError("the service is stopping")

    server = serve_probes(0, {}, {"/metrics": Page("text/plain", text)})
    assert server is not None
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain")
        assert answer.read() == b"spt_ready 1\n"
        connection.request("GET", "/metrics")
        assert connection.getresponse().status == 503
    finally:
        connection.close()
        server.shutdown()
        server.server_close()


def test_a_taken_port_is_told_and_stops_nothing(
    server: ThreadingHTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert serve_probes(server.server_port, {}) is None
    assert f"port {server.server_port} answers no probes" in caplog.text


def test_a_probe_has_an_id_as_well(server: ThreadingHTTPServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request("GET", "/livez", headers={"X-Request-Id": "mine"})
    assert connection.getresponse().getheader("X-Request-Id") == "mine"
    connection.close()
