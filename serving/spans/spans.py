"""One span for each request, and under it one for each phase of its rows.

A forward computes rows of many requests. It is one span under the first of them, with links to all.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from serving.observing import observer
from serving.observing.observer import Observer, Phase
from serving.rows.query import Query
from serving.tracing.origin import Origin
from serving.tracing.requests import Begun

_FAULT_FROM: Final = 500
"""A service's span has failed with these statuses; what is below is its caller's fault."""


class Spans(Observer):
    """Makes spans of what this process does.

    Args:
        provider: takes them.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("spt.serving")

    @contextmanager
    def request(self, name: str, origin: Origin) -> Iterator[Begun]:
        """Yield a request whose span is a child of the caller's; it ends with the block."""
        span = self._tracer.start_span(
            name,
            under(origin.parent),
            kind=SpanKind.SERVER,
            attributes={"spt.request_id": origin.request_id},
        )

        def answered(status: int) -> None:
            span.set_attribute("http.response.status_code", status)
            if status >= _FAULT_FROM:
                span.set_status(StatusCode.ERROR)

        try:
            yield Begun(replace(origin, parent=_place_of(span)), answered)
        finally:
            span.end()

    def phase(self, phase: Phase, span: observer.Span, queries: Sequence[Query]) -> None:
        """Make the spans of a phase: one for each request that is traced, or one of a forward."""
        asked: dict[str, list[Query]] = defaultdict(list)
        for query in queries:
            if query.origin.is_sampled:
                asked[query.origin.parent].append(query)
        if phase != "forward":
            for parent, own in asked.items():
                self._make(phase, span, parent, own)
        elif asked:
            links = [Link(_span_of(parent).get_span_context()) for parent in asked]
            self._make(phase, span, next(iter(asked)), queries, links)

    def _make(
        self,
        phase: Phase,
        span: observer.Span,
        parent: str,
        queries: Sequence[Query],
        links: Sequence[Link] = (),
    ) -> None:
        tasks = sorted({query.task for query in queries})
        self._tracer.start_span(
            phase,
            under(parent),
            attributes={"spt.rows": len(queries), "spt.tasks": tasks},
            links=links,
            start_time=_epoch_ns(span.begin_s),
        ).end(_epoch_ns(span.end_s))


def under(parent: str) -> Context:
    """Return the context in which a span has this `traceparent`; empty for the first of a trace."""
    if not parent:
        return Context()
    return set_span_in_context(_span_of(parent), Context())


def _span_of(parent: str) -> NonRecordingSpan:
    """Return a span that somebody else records."""
    _, trace_id, span_id, flags = parent.split("-")
    place = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return NonRecordingSpan(place)


def _place_of(span: Span) -> str:
    context = span.get_span_context()
    flags = int(context.trace_flags.sampled)
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"


def _epoch_ns(monotonic_s: float) -> int:
    """Return when something was, as OpenTelemetry counts."""
    return time.time_ns() - int((time.monotonic() - monotonic_s) * 1e9)
