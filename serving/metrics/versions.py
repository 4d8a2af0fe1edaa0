"""Rows by version, of tasks that have a canary: a table that forgets, so its series stay few.

The library's counters never forget, least of all in files. So this table is read as a whole: in the
process that has it, or from a file that it leaves.
"""

import time
from bisect import bisect_left
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import TypeAdapter, ValidationError

from adapters.artifact.codec import short
from serving.errors import code_of
from serving.metrics.table import METRICS, OK, SECONDS
from serving.observing.observer import Served

MOST_TASKS: Final = 50
"""That are told of at once; those that were not asked for longest fall out."""

MOST_VERSIONS: Final = 4
"""Of one task: a current one, a canary, and those before them."""

FORGET_S: Final = 600.0
"""A task whose canary has not been met for so long has none any more, or hardly any callers."""

_ROWS, _SECONDS = "spt_version_rows_total", "spt_version_seconds"


@dataclass
class Counts:
    """What one version has done with rows in one role.

    Attributes:
        task: its id.
        version: its first hex digits.
        role: of the version.
        outcomes: rows by outcome.
        buckets: answered rows by their seconds, one more than there are bounds.
        sum_s: seconds of all of them.
    """

    task: str
    version: str
    role: str
    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    buckets: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    sum_s: float = 0.0

    def add(self, row: Served) -> None:
        """Count one row."""
        if isinstance(row.outcome, Exception):
            self.outcomes[code_of(row.outcome)] += 1
            return
        self.outcomes[OK] += 1
        self.buckets[bisect_left(SECONDS, row.span.seconds)] += 1
        self.sum_s += row.span.seconds


_FILE: Final = TypeAdapter(list[Counts])


class Versions(Collector):
    """Counts of versions; safe for many threads.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tasks: OrderedDict[str, OrderedDict[tuple[str, str], Counts]] = OrderedDict()
        self._seen_at: dict[str, float] = {}
        self._lock = Lock()

    def add(self, rows: Iterable[Served]) -> None:
        """Count rows."""
        with self._lock:
            for row in rows:
                self._counts_of(row.query.task, row.version, row.role).add(row)

    def counts(self) -> list[Counts]:
        """Return what is known of the tasks that were asked lately."""
        with self._lock:
            self._forget()
            return [counts for of_task in self._tasks.values() for counts in of_task.values()]

    def write(self, path: Path) -> None:
        """Leave what is known in a file, whole at every moment.

        Raises:
            OSError: it cannot be written.
        """
        written = path.with_suffix(".new")
        with self._lock:
            self._forget()
            known = [counts for of_task in self._tasks.values() for counts in of_task.values()]
            data = _FILE.dump_json(known)
        written.write_bytes(data)
        written.replace(path)

    def collect(self) -> Iterable[Metric]:
        """Return the series."""
        return families(self.counts())

    def _counts_of(self, task: str, version: str, role: str) -> Counts:
        of_task = self._tasks.setdefault(task, OrderedDict())
        self._tasks.move_to_end(task)
        self._seen_at[task] = self._clock()
        key = (version, role)
        found = of_task.setdefault(key, Counts(task, short(version), role))
        of_task.move_to_end(key)
        if len(of_task) > MOST_VERSIONS:
            of_task.popitem(last=False)
        if len(self._tasks) > MOST_TASKS:
            self._drop(next(iter(self._tasks)))
        return found

    def _forget(self) -> None:
        before = self._clock() - FORGET_S
        for task in [task for task, seen_at in self._seen_at.items() if seen_at < before]:
            self._drop(task)

    def _drop(self, task: str) -> None:
        del self._tasks[task], self._seen_at[task]


class VersionsFile(Collector):
    """What another process has left.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterable[Metric]:
        """Return the series; none if there is no such file."""
        try:
            return families(_FILE.validate_json(self._path.read_bytes()))
        except (OSError, ValidationError):
            return families([])


def families(known: Sequence[Counts]) -> Iterator[Metric]:
    """Yield the two metrics of some versions."""
    rows = CounterMetricFamily(_ROWS, METRICS[_ROWS].meaning, labels=METRICS[_ROWS].labels)
    seconds = HistogramMetricFamily(
        _SECONDS, METRICS[_SECONDS].meaning, labels=METRICS[_SECONDS].labels
    )
    for one in known:
        labels = (one.task, one.version, one.role)
        for outcome, count in list(one.outcomes.items()):
            rows.add_metric((*labels, outcome), count)
        seconds.add_metric(labels, _cumulative(one.buckets), one.sum_s)
    yield rows
    yield seconds


def _cumulative(buckets: Sequence[int]) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in SECONDS), "+Inf"]
    return [(bound, float(sum(buckets[: i + 1]))) for i, bound in enumerate(bounds)]
