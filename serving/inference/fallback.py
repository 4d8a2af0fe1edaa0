"""The previous good version goes on when the one that should answer cannot be loaded.

A version whose artifact is damaged, foreign, unsigned or gone is left alone for a while, and the
requests that named no version go to the task's next best: its current version, the one that was
served last, then the history's, newest first. A version that is merely out of reach, because the
store is away or slow, is stood in for only by what is on the device already. Knows nothing of
images, leases or HTTP.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Final

from adapters.artifact.codec import short
from adapters.cache.cached_store import CachedStore
from adapters.errors import SptError, StoreUnavailable, TaskNotFound
from serving.errors import AdapterLoading, DeviceOutOfMemory
from serving.inference.resident import AdapterKey

RETRY_S: Final = 5.0
"""How long a version that could not be loaded is left alone."""

_MAX_BAD: Final = 1000
_OUT_OF_REACH: Final = (StoreUnavailable, AdapterLoading)
_NOT_ITS_FAULT: Final = (TaskNotFound, DeviceOutOfMemory)

_log = logging.getLogger(__name__)


@dataclass
class _Bad:
    """A version that could not be loaded."""

    error: Exception
    retry_at: float
    instead: AdapterKey | None


class Fallback:
    """Knows which versions are bad, and what answers instead.

    Args:
        source: where tasks' pointers and histories are looked up.
        resident: the versions that are on the device.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        source: CachedStore,
        resident: Container[AdapterKey],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._resident = resident
        self._clock = clock
        self._served: dict[str, AdapterKey] = {}
        self._bad: OrderedDict[AdapterKey, _Bad] = OrderedDict()

    def note_served(self, current: AdapterKey) -> None:
        """Remember that this is its task's current version, and answers."""
        self._served[current.task] = current
        self._bad.pop(current, None)

    def substitute_for(self, key: AdapterKey) -> AdapterKey | Exception:
        """Return what answers where `key` should: itself, unless it was found bad a moment ago."""
        answering = key
        while not self._may_answer(answering):
            instead = self._bad[answering].instead
            if instead is None:
                return self._bad[key].error
            answering = instead
        return answering

    def instead_of(self, key: AdapterKey, error: Exception) -> AdapterKey | None:
        """Return what to try for a row whose version failed to load; None leaves it its error."""
        if isinstance(error, _NOT_ITS_FAULT):
            return None
        if isinstance(error, _OUT_OF_REACH):
            on_device = (other for other in self._others(key) if other in self._resident)
            return next(on_device, None)
        return self._mark(key, error).instead

    def reason(self, key: AdapterKey) -> str | None:
        """Return why a version does not answer, None if nothing is known against it."""
        bad = self._bad.get(key)
        return None if bad is None or key in self._resident else str(bad.error)

    def _mark(self, key: AdapterKey, error: Exception) -> _Bad:
        known = self._bad.pop(key, None)
        # the copy has no traceback, and so none of the tensors that the failed load had in hand
        bad = self._bad[key] = _Bad(copy(error), self._clock() + RETRY_S, None)
        bad.instead = next(filter(self._may_answer, self._others(key)), None)
        if len(self._bad) > _MAX_BAD:
            self._bad.popitem(last=False)
        if known is None:
            answers = (
                f"{short(bad.instead.version)} answers instead" if bad.instead else "none does"
            )
            _log.error(
                "%s: version %s cannot be served, %s: %s", key.task, key.version, answers, error
            )
        return bad

    def _may_answer(self, key: AdapterKey) -> bool:
        bad = self._bad.get(key)
        return bad is None or self._clock() >= bad.retry_at or key in self._resident

    def _others(self, key: AdapterKey) -> Iterator[AdapterKey]:
        """Yield the versions that may stand in for one, best first."""
        task = key.task
        try:
            current = AdapterKey(task, self._source.current(task).version)
        except SptError:
            current = key
        if current != key:
            yield current
        served = self._served.get(task, key)
        if served not in {key, current}:
            yield served
        for version in self._history(task):
            if version not in {key.version, current.version, served.version}:
                yield AdapterKey(task, version)

    def _history(self, task: str) -> list[str]:
        """Return the versions that were current, newest first; none while the store is away."""
        try:
            return [entry.version for entry in reversed(self._source.store.history(task))]
        except SptError:
            return []
