"""Rows that wait for the device, in the order in which they came. No timer: what waits is taken."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from threading import Condition

from serving.forward.chunks import chunks
from serving.observing.observers import OBSERVERS
from serving.rows.row import Row

Job = Callable[[], None]


class WaitingRows:
    """A queue of rows that have residents and pixels; safe for many threads.

    Args:
        most: rows of one forward.
        apart: whether rows with far more prompts than the others get forwards without them.
        forks: whether rows that share an image's first blocks get forwards without the others.
    """

    def __init__(self, most: int, *, apart: bool, forks: bool = False) -> None:
        self._most = most
        self._apart = apart
        self._forks = forks
        self._rows: dict[Row, float] = {}
        self._jobs: list[Job] = []
        self._changed = Condition()

    def __len__(self) -> int:
        """Return how many rows wait."""
        return len(self._rows)

    def add(self, rows: Iterable[Row]) -> None:
        """Let rows wait."""
        with self._changed:
            before = len(self._rows)
            self._rows |= dict.fromkeys(rows, time.monotonic())
            added = len(self._rows) - before
            self._changed.notify()
        OBSERVERS.waiting(added)

    def add_job(self, job: Job) -> None:
        """Let something else wait that only the device's thread may do; it goes before rows."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def drop(self, rows: Iterable[Row]) -> list[Row]:
        """Take back the rows that still wait; return them."""
        with self._changed:
            dropped = [row for row in rows if self._rows.pop(row, None) is not None]
        OBSERVERS.waiting(-len(dropped))
        return dropped

    def take(self, *, rows: bool) -> list[Row] | Job:
        """Wait for a job, or for the rows of the next forward: the oldest, and its like.

        Args:
            rows: whether rows are wanted; else they go on waiting.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or (rows and self._rows))
            if self._jobs:
                return self._jobs.pop(0)
            oldest = next(iter(self._rows))
            kinds = chunks(self._rows, self._most, apart=self._apart, forks=self._forks)
            taken = next(rows for rows in kinds if oldest in rows)
            since = [self._rows.pop(row) for row in taken]
        _tell(taken, since)
        return taken


def _tell(rows: Sequence[Row], since: Sequence[float]) -> None:
    """Tell how long rows have waited: once for all that came together."""
    OBSERVERS.waiting(-len(rows))
    if OBSERVERS:
        together: dict[float, list[Row]] = defaultdict(list)
        for row, begin_s in zip(rows, since, strict=True):
            together[begin_s].append(row)
        for begin_s, some in together.items():
            OBSERVERS.phase("queue", begin_s, (row.query for row in some))
