"""The sockets: what a browser sends arrives whole, and every reply is guarded."""

import socket
from threading import Thread

import pytest

from clients.connection import blocking_http
from clients.playground.guard import SAFE_HEADERS
from clients.playground.messages import Reply
from clients.playground.server import MAX_BODY_BYTES, LoopbackServer


@pytest.fixture
def asked():
    return []


@pytest.fixture
def server(asked):
    def answer(request):
        asked.append(request)
        return Reply(200, b"{}", headers={"X-One": "1"})

    with LoopbackServer(0) as server:
        server.answer = answer
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def http(server):
    with blocking_http(f"http://127.0.0.1:{server.server_port}", 10.0) as http:
        yield http


def test_a_request_arrives_as_it_was_sent(http, asked):
    body = bytes(range(256)) * 40
    reply = http.post("/api/predict?task=a%2Cb&empty=", content=body, headers={"X-Two": "2"})
    assert reply.status_code == 200
    (request,) = asked
    assert (request.method, request.path) == ("POST", "/api/predict")
    assert request.query == {"task": "a,b", "empty": ""}
    assert request.headers["x-two"] == "2"
    assert request.body == body


def test_every_reply_is_guarded(http):
    for reply in (http.get("/"), http.post("/", content=b"")):
        assert SAFE_HEADERS.items() <= {k.title(): v for k, v in reply.headers.items()}.items()
        assert reply.headers["X-One"] == "1"
        assert "Python" not in reply.headers["Server"]


def test_it_listens_on_loopback_alone(server):
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("length", "status"),
    [(f"Content-Length: {MAX_BODY_BYTES + 1}\r\n", 413), ("", 411), ("Content-Length: x\r\n", 411)],
)
def test_a_body_that_is_too_large_or_endless_is_not_read(server, asked, length, status):
    with socket.create_connection(server.server_address, 10) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{length}\r\n".encode())
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert said.startswith(f"HTTP/1.1 {status} ".encode())
    assert asked == []


def test_a_browser_that_goes_away_is_no_news(server, http, capfd):
    with socket.create_connection(server.server_address, 10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
    assert http.get("/").status_code == 200
    assert capfd.readouterr().err == ""
