"""What one process knows of the tasks' pointers, and since when.

Knows neither Redis nor the store: whoever asks brings the way to look a pointer up.
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


class _Known(NamedTuple):
    pointer: Pointer
    fresh_until: float
    renewed_from: float = NEVER


class PointerMemory:
    """Pointers by task, each looked up by one thread at a time; safe for many threads.

    Args:
        lifetime_s: says how long a pointer learned now is fresh.
        absence_s: says how long a task that was not found now is taken for unknown.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        lifetime_s: Callable[[], float],
        absence_s: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lifetime_s = lifetime_s
        self._absence_s = absence_s
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._look_ups: dict[str, Future[Pointer]] = {}
        self._lock = Lock()

    def fresh(self, task: str) -> Pointer | None:
        """Return the task's pointer if it is fresh.

        Raises:
            TaskNotFound: the task was not found a moment ago.
        """
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

    def look_up(self, task: str, find: Callable[[], Pointer]) -> Pointer:
        """Return the task's pointer if it is fresh, else what `find` finds, and remember that.

        Who asks meanwhile waits for the same answer. What was looked up before an `expire` is for
        those who asked before it, and never fresh.

        Raises:
            TaskNotFound: and whatever else `find` raises, for all who wait.
        """
        return self._look_up(task, find, is_fresh_enough=True)

    def renew(self, task: str, find: Callable[[], Pointer]) -> Pointer:
        """Do what `look_up` does, even if the pointer is fresh.

        Raises:
            TaskNotFound: and whatever else `find` raises, for all who wait.
        """
        return self._look_up(task, find, is_fresh_enough=False)

    def expire(self, task: str, newest: Pointer | None = None) -> None:
        """Let the next who asks for the task look it up.

        Args:
            task: its id.
            newest: a pointer that it had since; nothing older is taken from Redis.
        """
        with self._lock:
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

    def _look_up(self, task: str, find: Callable[[], Pointer], *, is_fresh_enough: bool) -> Pointer:
        with self._lock:
            # again: somebody may just have looked it up
            found = self.fresh(task) if is_fresh_enough else None
            if found is not None:
                return found
            running = self._look_ups.get(task)
            mine: Future[Pointer] = self._look_ups.setdefault(task, Future())
        if running is not None:
            return running.result()
        try:
            pointer = find()
        except BaseException as error:
            self._end(task, mine, None, is_unknown=isinstance(error, TaskNotFound))
            mine.set_exception(error)
            raise
        self._end(task, mine, pointer)
        mine.set_result(pointer)
        return pointer

    def _end(
        self,
        task: str,
        look_up: Future[Pointer],
        pointer: Pointer | None,
        *,
        is_unknown: bool = False,
    ) -> None:
        with self._lock:
            if self._look_ups.get(task) is not look_up:
                if pointer is not None:
                    self._known.setdefault(task, _Known(pointer, NEVER))
                return
            del self._look_ups[task]
            if pointer is not None:
                self._known[task] = self._learned(pointer)
                self._unknown.pop(task, None)
            elif is_unknown:
                self._known.pop(task, None)
                self._unknown[task] = self._clock() + self._absence_s()
                if len(self._unknown) > MAX_UNKNOWN_TASKS:
                    self._unknown.popitem(last=False)

    def _learned(self, pointer: Pointer) -> _Known:
        now, lifetime_s = self._clock(), self._lifetime_s()
        return _Known(pointer, now + lifetime_s, now + RENEWED_AFTER * lifetime_s)
