"""A call is a span of its caller's trace where there is one; else nothing is sent of it."""

import asyncio
import sys
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from clients import AsyncClient, Client
from clients.errors import ServerFault
from tests.unit.clients.fake_service import FakeService

URL = "http://service.test"


class Caller:
    """A program that traces, and what its spans tell."""

    def __init__(self) -> None:
        self._exporter, self.provider = InMemorySpanExporter(), TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("a program")

    def calls(self) -> list[ReadableSpan]:
        return [one for one in self._exporter.get_finished_spans() if one.kind == SpanKind.CLIENT]


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    caller = Caller()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: caller.provider)
    yield caller
    caller.provider.shutdown()


def place_of(span: ReadableSpan) -> str:
    context = span.context
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def test_the_service_is_told_of_the_span_of_a_call(caller: Caller) -> None:
    service = FakeService()
    with (
        Client(URL, transport=service.transport()) as client,
        caller.tracer.start_as_current_span("work") as work,
    ):
        client.predict(b"image", task="digits")
    (span,) = caller.calls()
    assert service.requests[0].headers["traceparent"] == place_of(span)
    assert span.parent == work.get_span_context()
    assert span.name == "POST /spt/predict"
    assert (span.attributes or {})["http.response.status_code"] == 200


def test_all_calls_of_a_batch_belong_to_its_caller(caller: Caller) -> None:
    service = FakeService()
    with (
        Client(URL, transport=service.transport()) as client,
        caller.tracer.start_as_current_span("work") as work,
    ):
        client.predict_batch([b"1", b"2", b"3"], task="digits")
    assert [span.parent for span in caller.calls()] == [work.get_span_context()] * 3
    told = {request.headers["traceparent"] for request in service.requests}
    assert told == set(map(place_of, caller.calls()))


def test_the_same_holds_for_asyncio(caller: Caller) -> None:
    service = FakeService()

    async def ask() -> None:
        async with AsyncClient(URL, transport=service.transport()) as client:
            with caller.tracer.start_as_current_span("work"):
                await client.predict(b"image", task="digits")

    asyncio.run(ask())
    (span,) = caller.calls()
    assert service.requests[0].headers["traceparent"] == place_of(span)


def test_a_call_that_fails_fails_its_span_and_its_error_says_which_request_it_was(
    caller: Caller,
) -> None:
    service = FakeService(reply=httpx.Response(500, headers={"X-Request-Id": "r-1"}))
    with (
        Client(URL, transport=service.transport(), retries=0) as client,
        pytest.raises(ServerFault) as caught,
    ):
        client.predict(b"image", task="digits")
    assert caught.value.request_id == "r-1"
    assert str(caught.value).endswith("[request r-1]")  # by which the log is searched
    (span,) = caller.calls()
    assert span.status.status_code == StatusCode.ERROR


def test_nothing_is_sent_by_a_program_that_has_no_span() -> None:
    service = FakeService()
    with Client(URL, transport=service.transport()) as client:
        client.predict(b"image", task="digits")
    assert "traceparent" not in service.requests[0].headers


def test_a_program_without_opentelemetry_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    service = FakeService()
    with Client(URL, transport=service.transport()) as client:
        assert client.predict(b"image", task="digits").task == "digits"
    assert "opentelemetry.trace" not in sys.modules
    assert "traceparent" not in service.requests[0].headers
