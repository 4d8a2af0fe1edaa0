"""Rows that wait for the device, in the order in which they came. No timer: what waits is taken."""

from collections.abc import Callable, Iterable
from threading import Condition

from serving.forward.chunks import chunks
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
        self._rows: dict[Row, None] = {}
        self._jobs: list[Job] = []
        self._changed = Condition()

    def __len__(self) -> int:
        """Return how many rows wait."""
        return len(self._rows)

    def add(self, rows: Iterable[Row]) -> None:
        """Let rows wait."""
        with self._changed:
            self._rows |= dict.fromkeys(rows)
            self._changed.notify()

    def add_job(self, job: Job) -> None:
        """Let something else wait that only the device's thread may do; it goes before rows."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def drop(self, rows: Iterable[Row]) -> list[Row]:
        """Take back the rows that still wait; return them."""
        with self._changed:
            return [row for row in rows if self._rows.pop(row, self) is None]

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
            for row in taken:
                del self._rows[row]
            return taken
