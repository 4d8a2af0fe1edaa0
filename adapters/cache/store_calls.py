"""Calls to a store that may hang: a few threads, a time limit, and no wait that a caller can spare.

A network directory or a bucket that is away does not fail, it says nothing. Knows nothing of
pointers.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Final, TypeVar

from adapters.errors import StoreUnavailable

PATIENCE_S: Final = 0.05
"""Longest that one waits for news of what is known already."""

LIMIT_S: Final = 2.0
"""Longest that one waits for what is not known; a call that takes longer hangs."""

PROBE_EVERY_S: Final = 10.0
"""How often a store that hangs is asked all the same."""

THREADS: Final = 4
"""That are ready for the next call."""

MOST_THREADS: Final = 16
"""Together with those whose call hangs."""

_T = TypeVar("_T")


class StoreCalls:
    """Makes calls in daemon threads, so that none keeps a caller, or the end of the process.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._began: dict[int, float] = {}
        self._answered_at = self._probe_at = float("-inf")
        self._is_late = False
        self._lock = threading.Lock()

    def submit(self, job: Callable[[], object]) -> None:
        """Have a thread run a job, which raises nothing."""
        with self._lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            ready = len(self._threads) - len(self._hanging())
            if ready < THREADS and len(self._threads) < MOST_THREADS:
                self._threads.append(threading.Thread(target=self._run, name="store", daemon=True))
                self._threads[-1].start()
        self._jobs.put(job)

    def ask(self, call: Callable[[], _T]) -> _T:
        """Return what a call does, or raise what it raises.

        Raises:
            StoreUnavailable: it hangs, or the store is known to.
        """
        if not self.lets_through():
            raise self.unavailable()
        answer: Future[_T] = Future()

        def job() -> None:
            try:
                answer.set_result(call())
            except BaseException as error:  # the caller's matter
                answer.set_exception(error)
            self.answered()

        self.submit(job)
        return self.wait(answer, is_known=False)

    def wait(self, answer: "Future[_T]", *, is_known: bool) -> _T:
        """Return an answer, or raise what it is.

        Args:
            answer: that a job brings.
            is_known: whether the caller can do without it.

        Raises:
            StoreUnavailable: it did not come in time.
        """
        patience_s = LIMIT_S
        if is_known:
            patience_s = 0.0 if self._is_late else PATIENCE_S
        elif self.is_hanging:
            patience_s = PATIENCE_S
        try:
            return answer.result(patience_s)
        except TimeoutError:
            if answer.done():
                raise
            self._is_late = True
            raise self.unavailable() from None

    def answered(self) -> None:
        """Take note that the store has answered, be it with an error."""
        self._answered_at = self._clock()
        self._is_late = False

    @property
    def is_hanging(self) -> bool:
        """Whether a call takes too long, and none was answered since it began."""
        with self._lock:
            return any(began >= self._answered_at for began in self._hanging())

    def lets_through(self) -> bool:
        """Return whether to ask the store: one that hangs only now and then, to find its end."""
        if not self.is_hanging:
            return True
        with self._lock:
            now = self._clock()
            if now < self._probe_at:
                return False
            self._probe_at = now + PROBE_EVERY_S
            return True

    def close(self) -> None:
        """Let the threads end after the jobs that wait; waits for none."""
        for _ in self._threads:
            self._jobs.put(None)

    @staticmethod
    def unavailable() -> StoreUnavailable:
        """Return the error of a store that hangs."""
        return StoreUnavailable(
            f"the store has not answered for {LIMIT_S:g} s, and does not fail either; see whether "
            "its file system hangs"
        )

    def _hanging(self) -> list[float]:
        """Return since when the calls last that hang; the caller holds the lock."""
        since = self._clock() - LIMIT_S
        return [began for began in self._began.values() if began <= since]

    def _run(self) -> None:
        me = threading.get_ident()
        while (job := self._jobs.get()) is not None:
            with self._lock:
                self._began[me] = self._clock()
            try:
                job()
            finally:
                with self._lock:
                    del self._began[me]
