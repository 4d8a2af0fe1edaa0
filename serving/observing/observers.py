"""Those who observe this process: one place for all of it, as with logs.

So who tells need not know who listens, nor hand it on. Where nobody does, telling costs a look at
an empty tuple.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Final

from serving.observing.observer import Observer, Phase, Served, Span
from serving.rows.query import Outcome, Query

_log = logging.getLogger(__name__)


class Observers:
    """Any number of observers; safe for many threads.

    A method that takes `begin_s`, of `time.monotonic`, tells that what began then has ended now.
    """

    def __init__(self) -> None:
        self._all: tuple[Observer, ...] = ()
        self._changing = Lock()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._all)

    def add(self, observer: Observer) -> None:
        """Tell this one, too, from now on."""
        with self._changing:
            self._all = (*self._all, observer)

    def remove(self, observer: Observer) -> None:
        """Tell this one no more."""
        with self._changing:
            self._all = tuple(one for one in self._all if one is not observer)

    @contextmanager
    def hearing(self, observer: Observer) -> Iterator[None]:
        """Tell this one, too, for the length of the block."""
        self.add(observer)
        try:
            yield
        finally:
            self.remove(observer)

    def waiting(self, change: int) -> None:
        """Tell that more rows wait, or fewer."""
        if self._all and change:
            self._tell(lambda one: one.waiting(change))

    def phase(self, phase: Phase, begin_s: float, queries: Iterable[Query]) -> None:
        """Tell that rows have gone through a phase together; none tell nothing."""
        if self._all and (told := list(queries)):
            span = Span(begin_s, time.monotonic())
            self._tell(lambda one: one.phase(phase, span, told))

    def answered(
        self, begin_s: float, queries: Sequence[Query], outcomes: Sequence[Outcome]
    ) -> None:
        """Tell that the engine has answered a call."""
        if self._all and queries:
            span = Span(begin_s, time.monotonic())
            self._tell(lambda one: one.answered(span, queries, outcomes))

    def served(self, rows: Iterable[Served]) -> None:
        """Tell what versions have done with rows; none tell nothing."""
        if self._all and (told := list(rows)):
            self._tell(lambda one: one.served(told))

    def loaded(self, begin_s: float, task: str, version: str, error: Exception | None) -> None:
        """Tell that an adapter was loaded, or could not be."""
        if self._all:
            span = Span(begin_s, time.monotonic())
            self._tell(lambda one: one.loaded(span, task, version, error))

    def refused(self, errors: Iterable[Exception]) -> None:
        """Tell that calls, or rows of them, were refused before the engine was asked."""
        if self._all and (told := list(errors)):
            self._tell(lambda one: one.refused(told))

    def replied(self, begin_s: float, status: int) -> None:
        """Tell that a call to predict was answered over HTTP."""
        if self._all:
            span = Span(begin_s, time.monotonic())
            self._tell(lambda one: one.replied(span, status))

    def _tell(self, event: Callable[[Observer], None]) -> None:
        for one in self._all:
            try:
                event(one)
            except Exception:  # who only watches must not be able to hurt a row
                _log.exception("an observer has failed; the service goes on")


OBSERVERS: Final = Observers()
"""Of this process."""
