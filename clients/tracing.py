"""A call as a span of the caller's trace, where the caller's program traces with OpenTelemetry.

Nothing of it is imported here: a program that traces has done so by then.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from clients.wire import Call
from serving.protocol import TRACEPARENT_HEADER

_TRACESTATE_HEADER: Final = "tracestate"
_FAILED_FROM: Final = 400


class CallSpan(NamedTuple):
    """What tells the service of a call's span, and the span of its answer.

    Attributes:
        headers: that go with the call; none where nobody traces.
        answered: takes the status of HTTP.
    """

    headers: dict[str, str]
    answered: Callable[[int], object]


_UNTRACED: Final = CallSpan({}, lambda _: None)


@contextmanager
def traced(call: Call) -> Iterator[CallSpan]:
    """Have a span for as long as the block sends a call and waits."""
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        yield _UNTRACED
        return
    attributes = {"http.request.method": call.method, "url.path": call.path}
    with api.get_tracer("spt.clients").start_as_current_span(
        f"{call.method} {call.path}", kind=api.SpanKind.CLIENT, attributes=attributes
    ) as span:

        def answered(status: int) -> None:
            span.set_attribute("http.response.status_code", status)
            if status >= _FAILED_FROM:
                span.set_status(api.StatusCode.ERROR)

        yield CallSpan(_headers(span.get_span_context()), answered)


def _headers(context: Any) -> dict[str, str]:
    """Return a span's place, as W3C Trace Context writes it; none where nothing is recorded."""
    if not context.is_valid:
        return {}
    place = f"{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    state = context.trace_state.to_header()
    return {TRACEPARENT_HEADER: f"00-{place}"} | ({_TRACESTATE_HEADER: state} if state else {})
