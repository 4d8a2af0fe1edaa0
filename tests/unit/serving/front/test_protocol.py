"""uvicorn with our bounds, over real sockets: heads that never end, and an end that waits."""

import socket
import threading
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config, Server

from serving.door.replies import Reply
from serving.front import protocol
from serving.front.exchange import Exchange
from serving.front.protocol import HEAD_BYTES, BoundedProtocol
from tests.fakes.waiting import wait_until

ASK = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"


async def refusing_large_bodies(scope: Scope, receive: Receive, send: Send) -> None:
    exchange = Exchange(scope, receive, send)
    if exchange.promised_bytes < 1000:
        while (await receive()).get("more_body"):
            pass
        exchange._is_whole = True
    await exchange.reply(Reply(200 if exchange._is_whole else 413, {}, b"{}"))


@pytest.fixture
def server() -> Iterator[Server]:
    config = Config(
        refusing_large_bodies,
        port=0,
        http=BoundedProtocol,
        lifespan="off",
        ws="none",
        log_level="critical",
    )
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until("it listens", lambda: server.started)
    yield server
    server.should_exit = True
    thread.join(60)
    assert not thread.is_alive()


def connected(server: Server) -> socket.socket:
    port = server.servers[0].sockets[0].getsockname()[1]
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def heard(connection: socket.socket) -> bytes:
    """Return what is said until the connection is closed."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_a_head_without_an_end_is_refused(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        try:
            for _ in range(100 * HEAD_BYTES // 1000):
                connection.sendall(b"x" * 1000)
            raise AssertionError("all of it was taken")
        except (BrokenPipeError, ConnectionResetError):
            pass


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nX: y"], ids=["nothing", "half"])
def test_a_head_that_does_not_come_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.05)
    with connected(server) as connection:
        connection.sendall(said)
        assert heard(connection).startswith(b"HTTP/1.1 400" if said else b"")


def test_one_connection_carries_many_requests(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 60.0)
    with connected(server) as connection:
        for _ in range(3):
            connection.sendall(ASK)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_one_who_sends_a_body_that_is_refused_hears_why(server: Server) -> None:
    body = b"x" * 5_000_000
    with connected(server) as connection:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body)
        answer = heard(connection)
    assert answer.startswith(b"HTTP/1.1 413")
    assert answer.endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
def test_a_request_on_its_way_is_answered_though_the_server_ends(
    server: Server, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    monkeypatch.setattr(protocol, "GRACE_S", 60.0)
    with connected(server) as connection:
        for _ in range(before):
            connection.sendall(ASK)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        (one,) = wait_until("it is accepted", lambda: server.server_state.connections)
        server.should_exit = True
        wait_until("it ends", lambda: one._is_ending)
        connection.sendall(ASK)
        answer = heard(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer


def test_who_says_nothing_is_not_waited_for_at_the_end(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "GRACE_S", 0.01)
    with connected(server) as connection:
        wait_until("it is accepted", lambda: server.server_state.connections)
        server.should_exit = True
        assert heard(connection) == b""
