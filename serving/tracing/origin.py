"""Who asked for what is being done: the same in all threads, tasks and processes of a request.

A thread or a process that works for a request is told by whoever hands the work over.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from serving.protocol import REQUEST_ID_HEADER, TRACEPARENT_HEADER
from serving.tracing.request_id import checked_id, new_id
from serving.tracing.traceparent import parse_traceparent


@dataclass(frozen=True)
class Origin:
    """A request, as others know it.

    Attributes:
        request_id: by which its reply and its lines in logs are found; empty where nobody asked.
        caller_id: by which its caller knows it, where its reply has another one; else empty.
        parent: the span that what is done for it belongs to, as a `traceparent` that is known to
            be good: the caller's, or that of this request where it is traced; else empty.
    """

    request_id: str = ""
    caller_id: str = ""
    parent: str = ""

    @property
    def trace_id(self) -> str:
        """Hex digits of its trace; empty where it has none."""
        return self.parent[3:35]

    @property
    def is_sampled(self) -> bool:
        """Whether the trace is recorded."""
        return self.parent.endswith("1")


NOBODY: Final = Origin()

_current: ContextVar[Origin] = ContextVar("origin", default=NOBODY)


def origin_of(header: Callable[[str], str | None], given: str | None = None) -> Origin:
    """Return who asks.

    Args:
        header: the value of a header by its name; None if it is not there.
        given: the id that the reply will have, where that is not for us to choose.
    """
    shown = checked_id(header(REQUEST_ID_HEADER))
    parent = parse_traceparent(header(TRACEPARENT_HEADER)) or ""
    if given is None:
        return Origin(shown or new_id(), parent=parent)
    return Origin(checked_id(given) or new_id(), shown or "", parent)


def current() -> Origin:
    """Return for whom this thread or task works now."""
    return _current.get()


@contextmanager
def about(origin: Origin) -> Iterator[None]:
    """Work for a request until the end of the block."""
    token = _current.set(origin)
    try:
        yield
    finally:
        _current.reset(token)
