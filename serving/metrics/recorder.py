"""What happens to rows, calls and adapters becomes counts and seconds."""

from collections import Counter
from collections.abc import Sequence

from serving.errors import code_of
from serving.metrics.series import Series
from serving.metrics.table import OK
from serving.metrics.versions import Versions
from serving.observing.observer import Observer, Phase, Served, Span
from serving.rows.query import Outcome, Query


class Recorder(Observer):
    """Counts what it is told.

    Args:
        series: of this process.
        versions: counted apart, for their labels come and go.
    """

    def __init__(self, series: Series, versions: Versions) -> None:
        self._series = series
        self._versions = versions

    def waiting(self, change: int) -> None:
        """See `Observer`."""
        self._series.change("spt_queue_rows", float(change))

    def phase(self, phase: Phase, span: Span, queries: Sequence[Query]) -> None:
        """See `Observer`; a forward is a batch."""
        self._series.observe("spt_phase_seconds", span.seconds, phase)
        if phase == "forward":
            self._series.observe("spt_batch_rows", float(len(queries)))
            self._series.observe("spt_batch_tasks", float(len({query.task for query in queries})))

    def answered(self, span: Span, queries: Sequence[Query], outcomes: Sequence[Outcome]) -> None:
        """See `Observer`."""
        codes = Counter(_code(outcome) for outcome in outcomes)
        for code, count in codes.items():
            self._series.count("spt_rows_total", float(count), code)

    def served(self, rows: Sequence[Served]) -> None:
        """See `Observer`."""
        self._versions.add(rows)

    def loaded(self, span: Span, task: str, version: str, error: Exception | None) -> None:
        """See `Observer`; a load that failed has no time that means anything."""
        if error is None:
            self._series.observe("spt_adapter_load_seconds", span.seconds)

    def refused(self, errors: Sequence[Exception]) -> None:
        """See `Observer`."""
        for error in errors:
            self._series.count("spt_refusals_total", 1.0, code_of(error))

    def replied(self, span: Span, status: int) -> None:
        """See `Observer`."""
        self._series.count("spt_requests_total", 1.0, str(status))
        self._series.observe("spt_request_seconds", span.seconds)


def _code(outcome: Outcome) -> str:
    return code_of(outcome) if isinstance(outcome, Exception) else OK
