"""What one process knows of the tasks' pointers, and since when: a table with a lock.

Knows neither Redis nor the store. Who finds a pointer out of date begins a look-up here, finds the
pointer elsewhere, and ends the look-up with what was found. A pointer is fresh for its lifetime,
and beyond that for as long as somebody follows what moves: an era lasts while they miss nothing.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from threading import Lock
from typing import Final, NamedTuple

from adapters.cache.jitter import jittered
from adapters.errors import TaskNotFound
from adapters.store.record import Pointer

MAX_UNKNOWN_TASKS = 1024
"""How many ids of tasks that do not exist are remembered, at most."""

NEVER = float("-inf")

RENEWED_AFTER: Final = 0.5
"""Share of its lifetime after which a pointer that is asked for should be looked up again."""

FOLLOWED_RENEWAL_S: Final = 300.0
"""How long one whose moves are followed is not looked up, give or take a fifth."""

SPREAD_S: Final = 5.0
"""How long pointers of an era that has ended may be answered with while they are looked up."""

_NO_ERA: Final = -2


class LookUp(NamedTuple):
    """A look-up of one task, shared by all who ask for it while it lasts.

    Attributes:
        task: its id.
        pointer: done when the look-up has ended.
        is_mine: whether the caller has begun it, and so must end it.
    """

    task: str
    pointer: "Future[Pointer]"
    is_mine: bool


class _Known(NamedTuple):
    pointer: Pointer
    fresh_until: float = NEVER
    renewed_from: float = NEVER
    era: int = _NO_ERA


class _Running(NamedTuple):
    pointer: "Future[Pointer]"
    era: int
    began_at: float = float("inf")


class _Followed(NamedTuple):
    """What is known of the tasks' moves.

    Attributes:
        era: its number.
        until: when what is known of this era ends.
        before_until: when that of the era before has ended.
        sequences: that the pointers of some tasks have at least, or will in a moment.
    """

    era: int = 0
    until: float = NEVER
    before_until: float = NEVER
    sequences: Mapping[str, int] = {}


class PointerMemory:
    """Pointers by task, each looked up by one thread at a time; safe for many threads.

    Args:
        clock: seconds that only grow.
        limit_s: how long a look-up may take before the next who asks begins another one.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, limit_s: float = float("inf")
    ) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._known: dict[str, _Known] = {}
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._look_ups: dict[str, _Running] = {}
        self._followed = _Followed()
        self._lock = Lock()

    def fresh(self, task: str) -> Pointer | None:
        """Return the task's pointer if it is fresh.

        Raises:
            TaskNotFound: the task was not found a moment ago.
        """
        # no lock on the path of every request: each dictionary is read once, and what is in it
        # never changes
        now = self._clock()
        known = self._known.get(task)
        if known is not None and now < self._fresh_until(known):
            return known.pointer
        if now < self._unknown.get(task, NEVER):
            raise TaskNotFound(f"task {task!r} was not published a moment ago; try again later")
        return None

    @property
    def is_followed(self) -> bool:
        """Whether pointers are fresh for as long as nothing is said of them."""
        return self._clock() < self._followed.until

    def should_be_renewed(self, task: str) -> bool:
        """Return whether a fresh pointer is to be looked up before it is old, and nobody does."""
        known, now = self._known.get(task), self._clock()
        if known is None or not now < self._fresh_until(known):
            return False
        if now < known.renewed_from and known.era != self._followed.era - 1:
            return False
        return self._running(task) is None

    def last(self, task: str) -> Pointer | None:
        """Return the task's last known pointer, however old."""
        known = self._known.get(task)
        return None if known is None else known.pointer

    def begin(self, task: str, *, renew: bool = False) -> LookUp:
        """Begin to look a task up, or join the look-up that runs, or one that has just ended.

        Args:
            task: its id.
            renew: look it up even if its pointer is fresh.

        Raises:
            TaskNotFound: the task was not found a moment ago.
        """
        with self._lock:
            # again under the lock: another thread may just have looked it up
            fresh = None if renew else self.fresh(task)
            if fresh is not None:
                ended: Future[Pointer] = Future()
                ended.set_result(fresh)
                return LookUp(task, ended, is_mine=False)
            running = self._running(task)
            if running is not None:
                return LookUp(task, running.pointer, is_mine=False)
            mine = self._look_ups[task] = _Running(Future(), self._followed.era)
            return LookUp(task, mine.pointer, is_mine=True)

    def begun(self, look_up: LookUp) -> None:
        """Take note that a look-up has its turn: from now on it may take too long."""
        with self._lock:
            running = self._look_ups.get(look_up.task)
            if running is not None and running.pointer is look_up.pointer:
                self._look_ups[look_up.task] = running._replace(began_at=self._clock())

    def learn(
        self, look_up: LookUp, pointer: Pointer, lifetime_s: float, *, is_certain: bool = True
    ) -> None:
        """End a look-up with the pointer that was found, fresh from now on.

        Args:
            look_up: that has found it.
            pointer: what was found.
            lifetime_s: for how long, unless its moves are followed.
            is_certain: whether it is the task's and not only the last one that was known; if not,
                it is fresh for its lifetime, be it followed or not.
        """
        task = look_up.task
        with self._lock:
            ended = self._end(look_up)
            if ended is not None:
                era = ended.era if is_certain else _NO_ERA
                self._known[task] = self._learned(task, pointer, lifetime_s, era)
                self._unknown.pop(task, None)
            else:
                # news came while it was on its way: what was found is good enough for those who
                # asked before them, and better than nothing, but never fresh and never instead
                # of what a later look-up has found
                self._known.setdefault(task, _Known(pointer))
        # only now: those who wait may ask again at once, and must find the table up to date
        look_up.pointer.set_result(pointer)

    def give_up(self, look_up: LookUp, error: BaseException, absence_s: float) -> None:
        """End a look-up with an error, for all who wait for it.

        Args:
            look_up: that failed.
            error: why; after a `TaskNotFound` the task is taken for unknown, and forgotten.
            absence_s: for how long.
        """
        with self._lock:
            if self._end(look_up) is not None and isinstance(error, TaskNotFound):
                self._known.pop(look_up.task, None)
                self._unknown[look_up.task] = self._clock() + absence_s
                if len(self._unknown) > MAX_UNKNOWN_TASKS:
                    self._unknown.popitem(last=False)
        look_up.pointer.set_exception(error)

    def expire(self, task: str, newest: Pointer | None = None) -> None:
        """Let the next who asks for the task look it up.

        What was looked up before is for those who asked before, and never fresh.

        Args:
            task: its id.
            newest: a pointer that it had since, for while the store does not answer.
        """
        with self._lock:
            self._expire(task, newest)

    def follow(self, moved: Iterable[str], sequences: Mapping[str, int], until: float) -> None:
        """Take note of all moves of this era since the last time.

        Args:
            moved: the tasks; the next who asks for one looks it up.
            sequences: that the pointers of some tasks have by now, or get in a moment. One that is
                found with a lower number is fresh for its lifetime only.
            until: when pointers of this era are no longer fresh unless more is told.
        """
        with self._lock:
            for task in moved:
                self._expire(task)
            self._followed = self._followed._replace(until=until, sequences=sequences)

    def begin_anew(self) -> None:
        """Begin another era, for moves may have been missed: all pointers are to be looked up.

        Each is as it is asked for, and answered with for `SPREAD_S` meanwhile: not all at once.
        """
        with self._lock:
            before = self._followed
            ended = min(before.until, self._clock())
            self._unknown.clear()
            self._look_ups.clear()
            self._followed = _Followed(before.era + 1, before_until=ended)

    def _fresh_until(self, known: _Known) -> float:
        followed = self._followed  # replaced as a whole
        if known.era == followed.era:
            return max(known.fresh_until, followed.until)
        if known.era == followed.era - 1:
            return max(known.fresh_until, followed.before_until + SPREAD_S)
        return known.fresh_until

    def _learned(self, task: str, pointer: Pointer, lifetime_s: float, era: int) -> _Known:
        now, followed = self._clock(), self._followed
        is_awaited = pointer.sequence < followed.sequences.get(task, 0)
        if era != followed.era or not now < followed.until or is_awaited:
            return _Known(pointer, now + lifetime_s, now + RENEWED_AFTER * lifetime_s)
        renewed_from = now + jittered(FOLLOWED_RENEWAL_S)
        return _Known(pointer, now + lifetime_s, renewed_from, era)

    def _expire(self, task: str, newest: Pointer | None = None) -> None:
        # forgotten, not ended: its thread still answers those who wait for it
        self._look_ups.pop(task, None)
        self._unknown.pop(task, None)
        found = [pointer for pointer in (newest, self.last(task)) if pointer is not None]
        if found:
            self._known[task] = _Known(max(found, key=lambda p: p.sequence))

    def _running(self, task: str) -> _Running | None:
        """Return the look-up of a task, None where it takes too long or there is none."""
        running = self._look_ups.get(task)
        is_late = running is not None and self._clock() >= running.began_at + self._limit_s
        return None if is_late else running

    def _end(self, look_up: LookUp) -> _Running | None:
        """Forget a look-up and return it; None where news came while it was on its way."""
        running = self._look_ups.get(look_up.task)
        if running is None or running.pointer is not look_up.pointer:
            return None
        return self._look_ups.pop(look_up.task)
