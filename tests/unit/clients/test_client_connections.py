"""One connection serves many calls, also those that fail."""

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from clients.client import AsyncClient, Client
from clients.errors import BadRequest
from tests.fakes.listening import listening
from tests.unit.clients.fake_service import FakeService, failure


@pytest.fixture
def served() -> Iterator[tuple[str, list[int]]]:
    """A service that keeps connections open; its address, and the callers' ports."""
    ports: list[int] = []
    answer = FakeService().entry("digits", 1).model_dump_json().encode()
    refusal = failure("bad_image", "no image").model_dump_json().encode()

    class Keeping(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            ports.append(self.client_address[1])
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            body = answer if sent == b"good" else refusal
            self.send_response(200 if sent == b"good" else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with listening(Keeping) as address:
        yield address, ports


def test_a_connection_is_used_again_after_an_error(served):
    address, ports = served
    with Client(address) as client:
        for image in (b"good", b"bad", b"bad", b"good"):
            if image == b"good":
                client.predict(image, task="digits")
            else:
                with pytest.raises(BadRequest):
                    client.predict(image, task="digits")
    assert (len(ports), len(set(ports))) == (4, 1)


def test_a_batch_has_no_more_connections_than_askers(served):
    address, ports = served

    async def ask() -> None:
        async with AsyncClient(address) as client:
            result = await client.predict_batch(
                [b"good", b"bad"] * 50, task="digits", concurrency=3
            )
            assert len(result.failed) == 50

    asyncio.run(ask())
    assert len(ports) == 100
    assert len(set(ports)) <= 3
