"""What an observer of the service is told. Knows neither Prometheus nor OpenTelemetry."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from serving.rows.query import Outcome, Query, Role

Phase = Literal["queue", "decode", "lookup", "load", "forward", "answer"]
"""Of a row's way: it waits for a thread or the device, its image is decoded, its version is looked
up, its adapter loads, the trunk computes it, its reply is written."""


class Span(NamedTuple):
    """When something began and ended, in seconds of `time.monotonic`."""

    begin_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end_s - self.begin_s


class Served(NamedTuple):
    """What a version of a task with a canary did with one row.

    Attributes:
        query: the row's.
        version: all 64 hex digits.
        role: that the version has.
        outcome: its answer, or why it gave none.
        span: from the row's arrival in this process on.
    """

    query: Query
    version: str
    role: Role
    outcome: Outcome
    span: Span


class Observer:
    """Is told of what has just ended, in the thread in which it did; each method may stay empty.

    What it does holds up rows, so it should be done in microseconds. What it raises is logged, and
    costs no row.
    """

    def waiting(self, change: int) -> None:
        """So many more rows wait for a thread or for the device; fewer, if it is negative."""

    def phase(self, phase: Phase, span: Span, queries: Sequence[Query]) -> None:
        """Rows have gone through a phase together: of one call, or of one forward."""

    def answered(self, span: Span, queries: Sequence[Query], outcomes: Sequence[Outcome]) -> None:
        """The engine has answered a call, each query with its outcome."""

    def served(self, rows: Sequence[Served]) -> None:
        """Versions have answered rows of tasks that have a canary, or could not be loaded."""

    def loaded(self, span: Span, task: str, version: str, error: Exception | None) -> None:
        """An adapter was loaded, or could not be."""

    def refused(self, errors: Sequence[Exception]) -> None:
        """Calls, or rows of them, were refused before the engine was asked."""

    def replied(self, span: Span, status: int) -> None:
        """A call to predict was answered over HTTP."""
