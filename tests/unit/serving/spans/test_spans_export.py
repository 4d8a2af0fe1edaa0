"""Spans reach a collector that speaks OTLP; a service that is not traced loads nothing for them."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from serving.build_front import trace
from serving.config import ServingConfig, load_config
from serving.errors import ConfigError
from serving.spans import export
from serving.spans.spans import Spans
from serving.tracing.origin import Origin
from tests.fakes.listening import listening

ROOT = Path(__file__).parents[4]


def test_spans_reach_a_collector_and_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    came: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with listening(Collector) as address:
        provider = export.exporting(f"{address}/", "front")
        with Spans(provider).request("POST /spt/predict", Origin("r-1")):
            pass
        provider.shutdown()
    ((path, body),) = came
    assert path == "/v1/traces"
    (told,) = ExportTraceServiceRequest.FromString(body).resource_spans
    named = {one.key: one.value.string_value for one in told.resource.attributes}
    assert named["service.name"] == "spt-serving"
    assert named["service.instance.id"] == f"front-{os.getpid()}"
    assert [span.name for span in told.scope_spans[0].spans] == ["POST /spt/predict"]


def test_a_process_is_traced_if_a_collector_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[str, str]] = []
    monkeypatch.setattr(export, "begin_tracing", lambda *told: begun.append(told))
    trace(ServingConfig(), "front")
    trace(ServingConfig(trace_endpoint="http://127.0.0.1:4318"), "device")
    assert begun == [("http://127.0.0.1:4318", "device")]


def test_a_front_that_is_not_traced_loads_nothing_of_opentelemetry() -> None:
    code = (
        "import sys, serving.asgi as asgi; from serving.config import ServingConfig;"
        "asgi.trace(ServingConfig(), 'front');"
        "print({'serving.spans', 'opentelemetry.exporter'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"  # redis-py loads some of it where it is installed


def test_a_collector_that_is_no_address_is_refused_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trace_endpoint"):
        load_config({"trace_endpoint": "127.0.0.1:4318"}, tmp_path)


def test_without_the_extra_a_collector_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("serving.config.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'spt-serving\[trace\]'"):
        load_config({"trace_endpoint": "http://127.0.0.1:4318"}, tmp_path)
