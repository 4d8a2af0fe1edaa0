"""A request is one tree of spans, from its caller's to the forward, in each layout of processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from starlette.testclient import TestClient

from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.observing.observers import OBSERVERS
from serving.rows.query import Query
from serving.spans.spans import Spans
from serving.tracing.origin import Origin
from serving.tracing.requests import REQUESTS
from tests.fakes.tiny import image_bytes
from tests.fakes.tiny_device import ELSEWHERE, HERE, TinyDevice, engine_in

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = (f"00-{TRACE_ID}-{SPAN_ID}-{flags}" for flags in ("01", "00"))
CLOCKS_NS = 1_000_000
"""By which two clocks may be read apart."""
PHASES = {"queue", "decode", "lookup", "load", "forward", "answer"}


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    """What this process tells of itself, while it is traced."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = Spans(provider)
    REQUESTS.trace(spans.request)
    with OBSERVERS.hearing(spans):
        yield exporter
    REQUESTS.trace(None)


@pytest.fixture(params=[HERE, ELSEWHERE])
def http(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    tiny = TinyDevice(tmp_path)
    engine = engine_in(request.param, tmp_path, tiny)
    vitals = Vitals(Heartbeat(None), engine.probe)
    app = build_app(engine, Admission(None, RateLimit()), vitals, Bounds(100_000, 1 << 24, 4))
    with TestClient(app) as client:
        yield client
    tiny.close()


def by_name(exporter: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    found: dict[str, list[ReadableSpan]] = {}
    for span in exporter.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    return found


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def id_of(span: ReadableSpan) -> str:
    return f"{span.context.span_id:016x}"


def test_a_request_is_one_tree_under_its_callers_span(
    http: TestClient, exported: InMemorySpanExporter
) -> None:
    headers = {"traceparent": SAMPLED, "X-Request-Id": "r-1"}
    reply = http.post("/spt/predict?task=task0,task1", content=image_bytes(0), headers=headers)
    assert reply.status_code == 200
    spans = by_name(exported)
    assert spans.keys() == {"POST /spt/predict"} | PHASES
    (root,) = spans.pop("POST /spt/predict")
    assert (parent_of(root), root.kind) == (SPAN_ID, SpanKind.SERVER)
    assert dict(root.attributes or {}) == {
        "spt.request_id": "r-1",
        "http.response.status_code": 200,
    }
    for span in exported.get_finished_spans():
        assert f"{span.context.trace_id:032x}" == TRACE_ID
        assert root.start_time - CLOCKS_NS <= span.start_time <= span.end_time
        assert span.end_time <= root.end_time + CLOCKS_NS
    assert {parent_of(one) for some in spans.values() for one in some} == {id_of(root)}
    for forward in spans["forward"]:
        assert [f"{link.context.span_id:016x}" for link in forward.links] == [id_of(root)]
    told = [(one.attributes or {})["spt.tasks"] for one in spans["forward"]]
    assert {task for tasks in told for task in tasks} == {"task0", "task1"}


def test_a_request_without_a_trace_begins_one(
    http: TestClient, exported: InMemorySpanExporter
) -> None:
    http.post("/spt/predict?task=task0", content=image_bytes(0))
    spans = exported.get_finished_spans()
    assert [span.name for span in spans if span.parent is None] == ["POST /spt/predict"]
    assert len({span.context.trace_id for span in spans}) == 1


def test_what_a_caller_does_not_record_is_recorded_by_nobody(
    http: TestClient, exported: InMemorySpanExporter
) -> None:
    headers = {"traceparent": UNSAMPLED}
    assert http.post("/spt/predict?task=task0", content=image_bytes(0), headers=headers).is_success
    assert exported.get_finished_spans() == ()


def test_a_fault_of_ours_fails_its_span_and_a_callers_does_not(
    http: TestClient, exported: InMemorySpanExporter
) -> None:
    assert http.post("/spt/predict?task=nobody", content=image_bytes(0)).status_code == 404
    with REQUESTS.begun("ours", Origin("r")) as begun:
        begun.answered(503)
    spans = by_name(exported)
    assert spans["POST /spt/predict"][0].status.is_unset
    assert spans["ours"][0].status.status_code == StatusCode.ERROR


def test_probes_are_no_spans(http: TestClient, exported: InMemorySpanExporter) -> None:
    for path in ("/livez", "/readyz", "/ping"):
        http.get(path)
    assert exported.get_finished_spans() == ()


def test_a_forward_of_several_requests_is_one_span_with_links_to_all(
    exported: InMemorySpanExporter,
) -> None:
    origins = [Origin("r", parent=f"00-{TRACE_ID}-{i:016x}-01") for i in (1, 2)]
    unsampled = Origin("r", parent=UNSAMPLED)
    queries = [Query(b"", "pets", origin=one) for one in (*origins, unsampled, Origin("r"))]
    OBSERVERS.phase("forward", 0.0, queries)
    OBSERVERS.phase("lookup", 0.0, queries)
    spans = by_name(exported)
    (forward,) = spans["forward"]
    assert [link.context.span_id for link in forward.links] == [1, 2]
    assert (parent_of(forward), dict(forward.attributes or {})["spt.rows"]) == (f"{1:016x}", 4)
    assert [parent_of(one) for one in spans["lookup"]] == [f"{i:016x}" for i in (1, 2)]


def test_rows_that_nobody_traces_make_no_spans(exported: InMemorySpanExporter) -> None:
    for phase in ("forward", "lookup"):
        OBSERVERS.phase(phase, 0.0, [Query(b"", "pets")])
    assert exported.get_finished_spans() == ()
