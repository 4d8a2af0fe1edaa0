"""The previous good version goes on when the one that should answer cannot be loaded.

A version whose artifact is damaged, foreign, unsigned or gone is left alone for a while, and the
requests that named no version go to the task's next best: its current version, the one that was
served last, then the history's, newest first. One version stands in for all bad ones of a task,
so that no two stand in for each other, and none that was deleted. It is looked for in a thread;
rows wait for it until their batch's deadline, and later ones find it. Where a version is another
backbone's, most often all of its task's are: there rows wait for a moment only, or take what is on
the device; and where a batch asks for many such tasks, not at all. A version that is merely out of
reach, because the store is away or slow, is stood in for only by what is on the device already.
Knows nothing of images, leases or HTTP.
"""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from threading import Lock
from typing import Final

from adapters.artifact.codec import short
from adapters.cache.cached_store import CachedStore
from adapters.errors import ArtifactMismatch, SptError
from serving.deadline import Deadline
from serving.inference.bank import AdapterBank
from serving.inference.stand_ins import NOT_ITS_FAULT, OUT_OF_REACH, StandIns
from serving.rows.resident import AdapterKey

RETRY_S: Final = 5.0
"""How long a version that could not be loaded is left alone."""

FOREIGN_S: Final = 0.03
"""Longest wait for what stands in for versions of another backbone, of all of a batch together."""

MOST_FOREIGN: Final = 4
"""Versions of another backbone, of one task or of one batch, after which nobody waits for what may
stand in for them."""

_MAX_TROUBLED: Final = 1000
_MAX_TOLD: Final = 3

_log = logging.getLogger(__name__)


@dataclass
class _Bad:
    """A version that could not be loaded; never tried again if it can never fit."""

    error: Exception
    retry_at: float
    is_told: bool = False


@dataclass
class _Trouble:
    """The bad versions of one task, and what answers for all of them.

    Attributes:
        bad: by version.
        instead: what stands in; None while nothing is known that does.
        search: for it, while one runs; its result is there when nobody should wait any more.
    """

    bad: dict[str, _Bad] = field(default_factory=dict)
    instead: AdapterKey | None = None
    search: Future[None] | None = None


class Fallback:
    """Knows which versions are bad, and what answers instead; safe for many threads.

    Args:
        source: where tasks' pointers and histories are looked up.
        bank: the versions that are on the device, and where stand-ins are loaded.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        source: CachedStore,
        bank: AdapterBank,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._bank = bank
        self._clock = clock
        self._served: dict[str, AdapterKey] = {}
        self._troubles: OrderedDict[str, _Trouble] = OrderedDict()
        self._lock = Lock()
        self._stand_ins = StandIns(source, bank, self._note_bad)

    def note_served(self, current: AdapterKey) -> None:
        """Remember that this is its task's current version, and answers."""
        self._served[current.task] = current
        if current.task in self._troubles:
            with self._lock:
                trouble = self._trouble(current.task)
                trouble.bad.pop(current.version, None)
                trouble.instead = current

    def substitute_for(self, key: AdapterKey) -> AdapterKey | Exception:
        """Return what answers where `key` should: itself, unless it was found bad a moment ago."""
        bad = self._bad(key)
        if bad is None or self._may_answer(key) or self._forget_deleted(key.task):
            return key
        return self._instead_of(key) or bad.error

    def instead_of(
        self, failed: Mapping[AdapterKey, Exception], deadline: Deadline
    ) -> dict[AdapterKey, AdapterKey]:
        """Return what to try for rows whose versions failed to load, where anything can be.

        Args:
            failed: the versions, and why.
            deadline: until when a search for what stands in is waited for; it goes on after it.
        """
        away = {key for key, error in failed.items() if isinstance(error, OUT_OF_REACH)}
        bad = {key for key, error in failed.items() if not isinstance(error, NOT_ITS_FAULT)} - away
        foreign = {key for key in bad if isinstance(failed[key], ArtifactMismatch)}
        idle = foreign if len(foreign) > MOST_FOREIGN else set()
        searches = {key: self._begin(key, failed[key], is_idle=key in idle) for key in bad}
        wait(filter(None, map(searches.get, bad - foreign)), deadline.left_s)
        wait(filter(None, map(searches.get, foreign - idle)), min(FOREIGN_S, deadline.left_s))
        found = {key: self._instead_of(key) for key in bad}
        found |= {key: self._on_device(key) for key in away | foreign if not found.get(key)}
        return {key: other for key, other in found.items() if other is not None}

    def reason(self, key: AdapterKey) -> str | None:
        """Return why a version does not answer, None if nothing is known against it."""
        bad = self._bad(key)
        return None if bad is None or key in self._bank else str(bad.error)

    def error_of(self, key: AdapterKey) -> Exception | None:
        """Return what a version was found to be, None if nothing is known against it."""
        bad = self._bad(key)
        return None if bad is None else bad.error

    @property
    def stand_ins(self) -> int:
        """Versions that should answer now, and that another one answers for."""
        with self._lock:
            standing = [(task, one.instead, set(one.bad)) for task, one in self._troubles.items()]
        return sum(
            len((self._answering(task) & bad) - {instead.version})
            for task, instead, bad in standing
            if instead is not None
        )

    def close(self) -> None:
        """Let the searching thread go."""
        self._stand_ins.close()

    def _begin(self, key: AdapterKey, error: Exception, *, is_idle: bool) -> Future[None] | None:
        """Note a bad version; return the search for what answers instead, None if it is known.

        Args:
            key: the version.
            error: why it is bad.
            is_idle: have a search that begins give way to the forwards.
        """
        self._note_bad(key, error)
        self._forget_deleted(key.task)
        with self._lock:
            trouble = self._trouble(key.task)
            running, is_needed = trouble.search, trouble.instead is None
            if running is None and is_needed:
                trouble.search = Future()
        if running is None and is_needed:
            running = trouble.search
            others = filter(self._may_answer, self._others(key))
            self._stand_ins.search(others, partial(self._end, key.task, trouble), is_idle=is_idle)
        elif running is None:
            self._tell(key.task)
        return running

    def _end(self, task: str, trouble: _Trouble, found: AdapterKey | None) -> None:
        with self._lock:
            search, trouble.search = trouble.search, None
            trouble.instead = trouble.instead or found
        self._tell(task)
        if search is not None and not search.done():
            search.set_result(None)

    def _note_bad(self, key: AdapterKey, error: Exception) -> bool:
        """Remember a version that cannot be loaded; return whether its task seems to have none."""
        never = isinstance(error, ArtifactMismatch)
        retry_at = math.inf if never else self._clock() + RETRY_S
        with self._lock:
            trouble = self._trouble(key.task)
            before = trouble.bad.get(key.version)
            # the copy has no traceback, and so none of the tensors that the failed load had in hand
            trouble.bad[key.version] = _Bad(copy(error), retry_at, before is not None)
            if trouble.instead == key:
                trouble.instead = None
            foreign = sum(bad.retry_at == math.inf for bad in trouble.bad.values())
            is_hopeless = never and foreign >= MOST_FOREIGN
            if is_hopeless and trouble.search is not None and not trouble.search.done():
                trouble.search.set_result(None)
        return is_hopeless

    def _tell(self, task: str) -> None:
        """Log what was found bad since the last time, and what answers instead."""
        with self._lock:
            trouble = self._trouble(task)
            instead = trouble.instead
            news = [(version, bad) for version, bad in trouble.bad.items() if not bad.is_told]
            for _, bad in news:
                bad.is_told = True
        answers = f"{short(instead.version)} answers instead" if instead else "none does"
        for version, bad in news[:_MAX_TOLD]:
            _log.error("%s: version %s cannot be served, %s: %s", task, version, answers, bad.error)
        if news[_MAX_TOLD:]:
            _log.error("%s: %d more versions cannot be served", task, len(news) - _MAX_TOLD)

    def _trouble(self, task: str) -> _Trouble:
        """Return what is known of a task, under the lock; what is oldest is forgotten."""
        trouble = self._troubles.setdefault(task, _Trouble())
        if len(self._troubles) > _MAX_TROUBLED:
            self._troubles.popitem(last=False)
        return trouble

    def _bad(self, key: AdapterKey) -> _Bad | None:
        trouble = self._troubles.get(key.task)
        return None if trouble is None else trouble.bad.get(key.version)

    def _instead_of(self, key: AdapterKey) -> AdapterKey | None:
        trouble = self._troubles.get(key.task)
        instead = None if trouble is None else trouble.instead
        return None if instead == key else instead

    def _forget_deleted(self, task: str) -> bool:
        """Forget what stands in for a task's bad versions if it was deleted, and say so.

        What is not on the device is not looked for: that it is gone, its load finds.
        """
        trouble = self._troubles.get(task)
        instead = None if trouble is None else trouble.instead
        if trouble is None or instead is None or instead not in self._bank:
            return False
        if self._source.still_holds(*instead):
            return False
        with self._lock:
            if trouble.instead == instead:
                trouble.instead = None
        return True

    def _may_answer(self, key: AdapterKey) -> bool:
        bad = self._bad(key)
        return bad is None or self._clock() >= bad.retry_at or key in self._bank

    def _on_device(self, key: AdapterKey) -> AdapterKey | None:
        """Return what stands in for a version without a look at the store."""
        known = (self._current(key), self._served.get(key.task), self._instead_of(key))
        others = (other for other in known if other not in (None, key) and other in self._bank)
        return next((other for other in others if self._source.still_holds(*other)), None)

    def _others(self, key: AdapterKey) -> Iterator[AdapterKey]:
        """Yield the versions that may stand in for one, best first."""
        task, seen = key.task, {key}
        near = (self._current(key), self._served.get(task, key))
        far = (AdapterKey(task, version) for version in self._stand_ins.history(task))
        for other in chain(near, far):
            if other not in seen:
                seen.add(other)
                yield other

    def _answering(self, task: str) -> frozenset[str]:
        pointer = self._source.last_known(task)
        return frozenset() if pointer is None else pointer.answering

    def _current(self, key: AdapterKey) -> AdapterKey:
        """Return the current version of a version's task; the version itself if it is unknown."""
        try:
            return AdapterKey(key.task, self._source.current(key.task).version)
        except SptError:
            return key
