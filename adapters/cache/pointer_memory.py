"""What one process knows of the tasks' pointers, and since when: a table with a lock.

Knows neither Redis nor the store. Who finds a pointer out of date begins a look-up here, finds the
pointer elsewhere, and ends the look-up with what was found.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import NamedTuple

from adapters.errors import TaskNotFound
from adapters.store.record import Pointer

MAX_UNKNOWN_TASKS = 1024
"""How many ids of tasks that do not exist are remembered, at most."""

NEVER = float("-inf")

RENEWED_AFTER = 0.5
"""Share of its lifetime after which a pointer that is asked for should be looked up again."""


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
    fresh_until: float
    renewed_from: float = NEVER


class _Running(NamedTuple):
    pointer: "Future[Pointer]"
    began_at: float


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
        if known is not None and now < known.fresh_until:
            return known.pointer
        if now < self._unknown.get(task, NEVER):
            raise TaskNotFound(f"task {task!r} was not published a moment ago; try again later")
        return None

    def should_be_renewed(self, task: str) -> bool:
        """Return whether a fresh pointer is to be looked up before it is old; says so once."""
        with self._lock:
            known = self._known.get(task)
            if known is None or not known.renewed_from <= self._clock() < known.fresh_until:
                return False
            self._known[task] = known._replace(renewed_from=known.fresh_until)
            return True

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
            running = self._look_ups.get(task)
            if running is not None and self._clock() < running.began_at + self._limit_s:
                return LookUp(task, running.pointer, is_mine=False)
            mine = self._look_ups[task] = _Running(Future(), self._clock())
            return LookUp(task, mine.pointer, is_mine=True)

    def learn(self, look_up: LookUp, pointer: Pointer, lifetime_s: float) -> None:
        """End a look-up with the pointer that was found, fresh for a while from now on."""
        task, now = look_up.task, self._clock()
        with self._lock:
            if self._end(look_up):
                renewed_from = now + RENEWED_AFTER * lifetime_s
                self._known[task] = _Known(pointer, now + lifetime_s, renewed_from)
                self._unknown.pop(task, None)
            else:
                # news came while it was on its way: what was found is good enough for those who
                # asked before them, and better than nothing, but never fresh and never instead
                # of what a later look-up has found
                self._known.setdefault(task, _Known(pointer, NEVER))
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
            if self._end(look_up) and isinstance(error, TaskNotFound):
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
            newest: a pointer that it had since; nothing older is taken from Redis.
        """
        with self._lock:
            # forgotten, not ended: its thread still answers those who wait for it
            self._look_ups.pop(task, None)
            self._unknown.pop(task, None)
            found = [pointer for pointer in (newest, self.last(task)) if pointer is not None]
            if found:
                self._known[task] = _Known(max(found, key=lambda p: p.sequence), NEVER)

    def expire_all(self) -> None:
        """Let the next who asks for any task look it up."""
        with self._lock:
            self._look_ups.clear()
            self._unknown.clear()
            for task, known in self._known.items():
                self._known[task] = known._replace(fresh_until=NEVER)

    def _end(self, look_up: LookUp) -> bool:
        """Forget a look-up; return whether no news came while it was on its way."""
        running = self._look_ups.get(look_up.task)
        if running is None or running.pointer is not look_up.pointer:
            return False
        del self._look_ups[look_up.task]
        return True
