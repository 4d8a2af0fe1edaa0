"""What became of the copies that shadows were to compute, counted for each version."""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from serving.observing.observer import Agreement
from serving.observing.observers import OBSERVERS
from serving.rows.resident import AdapterKey

_MOST: Final = 1000
"""Versions whose counts are kept; those that were counted last."""


@dataclass
class ShadowCounts:
    """Of one version, since this process began.

    Attributes:
        rows: by agreement: the same answer as the version that answered, another one, dropped
            because there was no time or room for it, failed.
        errors: of those that failed, by code.
        seconds: that its forwards took, in all.
    """

    rows: Counter[Agreement] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class Tally:
    """Counts, and tells observers; safe for many threads."""

    def __init__(self) -> None:
        self._of: OrderedDict[AdapterKey, ShadowCounts] = OrderedDict()
        self._lock = Lock()

    def of(self, key: AdapterKey) -> ShadowCounts | None:
        """Return what was counted of a version, None for nothing."""
        return self._of.get(key)

    def add(self, key: AdapterKey, agreement: Agreement, rows: int = 1) -> None:
        """Count rows."""
        with self._lock:
            self._counts(key).rows[agreement] += rows
        OBSERVERS.shadowed(*key, agreement, rows)

    def add_error(self, key: AdapterKey, code: str) -> None:
        """Count a row that failed."""
        with self._lock:
            self._counts(key).errors[code] += 1
        self.add(key, "failed")

    def add_seconds(self, key: AdapterKey, seconds: float) -> None:
        """Count the time of a forward."""
        with self._lock:
            self._counts(key).seconds += seconds

    def _counts(self, key: AdapterKey) -> ShadowCounts:
        found = self._of.setdefault(key, ShadowCounts())
        self._of.move_to_end(key)
        if len(self._of) > _MOST:
            self._of.popitem(last=False)
        return found
