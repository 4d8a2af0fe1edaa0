"""Threads that run jobs in order, and are replaced while one of them is stuck.

A thread cannot be stopped. One whose job nobody waits for any longer is written off: another one
takes its place, and it ends with its job. Knows nothing of what the jobs are.
"""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

_Made = TypeVar("_Made")
_Task = tuple["Future[Any]", Callable[[], Any]]


class Threads:
    """A pool whose number of working threads stays what it is.

    Args:
        count: threads that work.
        most_stuck: threads more than these, at most; beyond it a stuck one is waited for.
    """

    def __init__(self, count: int, most_stuck: int) -> None:
        self._most_stuck = most_stuck
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._stuck: set[Future[Any]] = set()
        self._lock = Lock()
        self._count = count
        for _ in range(count):
            self._start()

    @property
    def num_stuck(self) -> int:
        """Threads that were written off and have not ended yet."""
        return len(self._stuck)

    def submit(self, job: Callable[[], _Made]) -> "Future[_Made]":
        """Run a job as soon as a thread is free."""
        future: Future[_Made] = Future()
        self._tasks.put((future, job))
        return future

    def write_off(self, future: "Future[Any]") -> None:
        """Give up a job: drop it if it has not begun, else replace its thread."""
        if future.cancel():
            return
        with self._lock:
            is_new = not future.done() and future not in self._stuck
            if not is_new or len(self._stuck) >= self._most_stuck:
                return
            self._stuck.add(future)
        self._start()

    def close(self) -> None:
        """Let the threads end, each with the job that it has."""
        for _ in range(self._count):
            self._tasks.put(None)

    def _start(self) -> None:
        # a daemon: the process may end though a job does not
        Thread(target=self._work, name="decode", daemon=True).start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, job = task
            if future.set_running_or_notify_cancel():
                _run(future, job)
                del task, job
                with self._lock:
                    if future in self._stuck:
                        self._stuck.remove(future)
                        return
            del future


def _run(future: "Future[Any]", job: Callable[[], Any]) -> None:
    try:
        future.set_result(job())
    except Exception as error:  # belongs to those who wait for this job
        future.set_exception(error)
