"""Rows that have ended, as observers are told of them."""

import time
from collections.abc import Iterable, Iterator

from serving.observing.observer import Served, Span
from serving.rows.row import Row


def ended(rows: Iterable[Row]) -> Iterator[Served]:
    """Yield those that have an outcome, and a version whose role is known."""
    for row in rows:
        if row.role is not None and not row.is_pending:
            span = Span(row.begin_s, time.monotonic())
            yield Served(row.query, row.key.version, row.role, row.outcome, span)
