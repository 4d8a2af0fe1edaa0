"""The library's objects for the metrics of one process: what it counts of itself."""

from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.metrics.table import METRICS, OK, Entry
from serving.observing.observer import Phase
from serving.protocol import HTTP_STATUS, ErrorCode

_Mode = Literal["livesum", "livemostrecent"]
"""How the library joins gauges of processes that run; of those that have ended it has none."""

_SUMMED: Final = frozenset({"spt_queue_rows"})
"""Gauges that every process changes; each other one is set by a single process."""

_KNOWN: Final = {
    "status": [str(status) for status in sorted({200, *HTTP_STATUS.values()})],
    "code": [OK, *ErrorCode],
    "phase": list(get_args(Phase)),
}
"""Values of labels, whose series begin at 0: else the first of each would be no increase."""


class Series:
    """Counters and histograms, which are there from the beginning; gauges, once they are set.

    Metrics of other labels than status, code and phase are not here. For one thread that sets
    gauges, and many that do everything else.

    Args:
        registry: where they are read; None where the library's files are.
    """

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._registry = registry
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._gauges: dict[str, Gauge] = {}
        for name, entry in METRICS.items():
            if set(entry.labels) <= _KNOWN.keys():
                self._begin(name, entry)

    def count(self, name: str, amount: float, *labels: str) -> None:
        """Add to a counter."""
        counter = self._counters[name]
        (counter.labels(*labels) if labels else counter).inc(amount)

    def observe(self, name: str, amount: float, *labels: str) -> None:
        """Add to a histogram."""
        histogram = self._histograms[name]
        (histogram.labels(*labels) if labels else histogram).observe(amount)

    def change(self, name: str, change: float) -> None:
        """Change a gauge that is summed over all processes."""
        self._gauges[name].inc(change)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        if name not in self._gauges:
            self._gauges[name] = self._gauge(name, METRICS[name], "livemostrecent")
        gauge = self._gauges[name]
        (gauge.labels(*labels) if labels else gauge).set(value)

    def _begin(self, name: str, entry: Entry) -> None:
        made: Counter | Histogram
        if entry.kind == "counter":
            made = self._counters[name] = Counter(
                name, entry.meaning, entry.labels, registry=self._registry
            )
        elif entry.kind == "histogram":
            made = self._histograms[name] = Histogram(
                name, entry.meaning, entry.labels, registry=self._registry, buckets=entry.buckets
            )
        else:
            if name in _SUMMED:
                self._gauges[name] = self._gauge(name, entry, "livesum")
            return
        for label in entry.labels:
            for value in _KNOWN[label]:
                made.labels(value)

    def _gauge(self, name: str, entry: Entry, mode: _Mode) -> Gauge:
        return Gauge(
            name, entry.meaning, entry.labels, registry=self._registry, multiprocess_mode=mode
        )
