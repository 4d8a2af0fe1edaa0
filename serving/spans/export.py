"""Spans of this process on their way to a collector: OTLP over HTTP, in a thread, in batches."""

import os
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from requests import Session

from serving.observing.observers import OBSERVERS
from serving.spans.spans import Spans
from serving.tracing.requests import REQUESTS

_DELAY_MS: Final = 1000
"""A process that is ended loses the spans of so long."""

_NAME: Final = "OTEL_SERVICE_NAME"


def begin_tracing(endpoint: str, part: str) -> None:
    """Trace this process from now on; see `exporting`."""
    spans = Spans(exporting(endpoint, part))
    OBSERVERS.add(spans)
    REQUESTS.trace(spans.request)


def exporting(endpoint: str, part: str) -> TracerProvider:
    """Return what sends spans until it is shut down.

    How many requests are sampled, OpenTelemetry's own variables say; by default all are whose
    caller does not say otherwise.

    Args:
        endpoint: address of the collector, without `/v1/traces`.
        part: what this process is in the service.
    """
    directly = Session()
    directly.trust_env = False  # a collector is near; no proxy is asked for it
    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": os.environ.get(_NAME, "spt-serving"),
                "service.instance.id": f"{part}-{os.getpid()}",
            }
        )
    )
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", session=directly)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_DELAY_MS))
    return provider
