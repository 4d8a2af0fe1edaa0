"""The bench's own HTTP client: what it sends, what it keeps open, and how it fails."""

import asyncio

import pytest

from clients.errors import ServiceUnreachable, TaskNotFound
from clients.load.closed import Ask, Outcome, run_load
from serving.protocol import Answer, ErrorBody, ErrorCode, Failure
from tests.bench.lean_client import LeanClient

ANSWER = Answer(task="pets", version="ab" * 32, predictions=())
NOT_FOUND = Failure(error=ErrorBody(code=ErrorCode.TASK_NOT_FOUND, message="none", task="nope"))


class KeepAliveService:
    """Answers on connections that stay open; to a body of `b"drop"` it closes them."""

    def __init__(self) -> None:
        self.connections = self.open = 0
        self.requests: list[tuple[str, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while await self._answer(reader, writer):
                pass
        except asyncio.IncompleteReadError:
            pass  # the client has gone
        writer.close()
        await writer.wait_closed()
        self.open -= 1

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = await reader.readexactly(int(head.rpartition("Content-Length: ")[2]))
        self.requests.append((head.split()[1], body))
        if body == b"drop":
            return False
        status, answer = (404, NOT_FOUND) if "task=nope" in head else (200, ANSWER)
        encoded = answer.model_dump_json().encode()
        lines = f"HTTP/1.1 {status} Words here\r\ncontent-length: {len(encoded)}\r\nX: y\r\n\r\n"
        writer.write(lines.encode() + encoded)
        return True


def load(service: KeepAliveService, asks: list[Ask], concurrency: int) -> tuple[Outcome, ...]:
    async def once() -> tuple[Outcome, ...]:
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, LeanClient(url, {"pets": "a", "nope": "b"}.__getitem__) as client:
            outcomes = await run_load(client, asks, concurrency=concurrency)
        while service.open:
            await asyncio.sleep(0)
        return outcomes

    return asyncio.run(once())


def test_calls_go_to_the_model_of_their_task_over_connections_that_stay() -> None:
    service = KeepAliveService()
    outcomes = load(service, [Ask(b"%d" % i, "pets", top_k=3) for i in range(20)], concurrency=2)
    assert [o.answer for o in outcomes] == [ANSWER] * 20
    assert service.connections == 2
    assert {path for path, _ in service.requests} == {"/a/predict?task=pets&top_k=3"}
    assert {body for _, body in service.requests} == {b"%d" % i for i in range(20)}


def test_a_refusal_is_an_error_and_the_connection_is_used_again() -> None:
    service = KeepAliveService()
    refused, answered = load(service, [Ask(b"x", "nope"), Ask(b"x", "pets")], concurrency=1)
    assert isinstance(refused.error, TaskNotFound)
    assert (refused.status, answered.error, service.connections) == (404, None, 1)


def test_a_dropped_connection_is_an_error_and_another_is_opened() -> None:
    service = KeepAliveService()
    dropped, answered = load(service, [Ask(b"drop", "pets"), Ask(b"x", "pets")], concurrency=1)
    assert isinstance(dropped.error, ServiceUnreachable)
    assert (answered.error, service.connections) == (None, 2)


def test_nobody_there_is_an_error() -> None:
    async def once() -> None:
        async with LeanClient("http://127.0.0.1:1") as client:
            await client.predict_with_batch(b"x", task="pets", top_k=1)

    with pytest.raises(ServiceUnreachable):
        asyncio.run(once())
