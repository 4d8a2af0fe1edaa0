"""Calls to a store that may hang: a few threads, a time limit, and no wait that a caller can spare.

A network directory or a bucket that is away does not fail, it says nothing. Knows nothing of
pointers.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final, NamedTuple, TypeVar

from adapters.errors import StoreUnavailable

PATIENCE_S: Final = 0.05
"""Longest that one waits for news of what is known already."""

LIMIT_S: Final = 2.0
"""Longest that one waits for what is not known; a call that takes longer hangs."""

LONG_S: Final = 30.0
"""The same for what may well take long: a whole artifact, or the list of all tasks."""

PROBE_EVERY_S: Final = 10.0
"""How often a store that hangs is asked all the same."""

THREADS: Final = 4
"""That are ready for the next call."""

MOST_THREADS: Final = 16
"""Together with those whose call hangs."""

_T = TypeVar("_T")


class _Job(NamedTuple):
    run: Callable[[], object]
    limit_s: float


class _Running(NamedTuple):
    began_at: float
    hangs_at: float


@dataclass
class _Answers:
    """How the store answers.

    Attributes:
        last_at: when it last did.
        is_late: whether one has waited in vain since.
        is_away: whether its last answer was that it cannot be reached.
    """

    last_at: float = float("-inf")
    is_late: bool = False
    is_away: bool = False


class StoreCalls:
    """Makes calls in daemon threads, so that none keeps a caller, or the end of the process.

    Args:
        clock: seconds that only grow.
        others: calls to the same store that have threads of their own; what the one learns of how
            the store answers, the other knows.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, others: "StoreCalls | None" = None
    ) -> None:
        self._clock = clock
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._running: dict[int, _Running] = {}
        self._probe_at = float("-inf")
        self._answers: _Answers = _Answers() if others is None else others._answers
        self._lock = threading.Lock()

    def submit(self, job: Callable[[], object], limit_s: float | None = None) -> None:
        """Have a thread run a job, which raises nothing.

        Args:
            job: what is run.
            limit_s: how long it may take before it hangs; `LIMIT_S` by default.
        """
        with self._lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            ready = len(self._threads) - len(self._hanging())
            if ready < THREADS and len(self._threads) < MOST_THREADS:
                self._threads.append(threading.Thread(target=self._run, name="store", daemon=True))
                self._threads[-1].start()
        self._jobs.put(_Job(job, LIMIT_S if limit_s is None else limit_s))

    def ask(
        self,
        call: Callable[[], _T],
        *,
        limit_s: float | None = None,
        patience_s: float | None = None,
        is_known: bool = False,
    ) -> _T:
        """Return what a call does, or raise what it raises.

        Args:
            call: asks the store.
            limit_s: how long it may take before it hangs; `LIMIT_S` by default.
            patience_s: longest wait for it; `limit_s` by default.
            is_known: whether the caller can do without it.

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
            self.answered(is_away=isinstance(answer.exception(), StoreUnavailable))

        self.submit(job, limit_s)
        patience_s = limit_s if patience_s is None else patience_s
        return self.wait(answer, is_known=is_known, patience_s=patience_s)

    def wait(self, answer: "Future[_T]", *, is_known: bool, patience_s: float | None = None) -> _T:
        """Return an answer, or raise what it is.

        Args:
            answer: that a job brings.
            is_known: whether the caller can do without it.
            patience_s: longest wait for what is not known; `LIMIT_S` by default.

        Raises:
            StoreUnavailable: it did not come in time.
        """
        patience_s = LIMIT_S if patience_s is None else patience_s
        if is_known:
            patience_s = 0.0 if self.is_late else PATIENCE_S
        elif self.is_hanging:
            patience_s = min(patience_s, PATIENCE_S)
        try:
            return answer.result(patience_s)
        except TimeoutError:
            if answer.done():  # just now, or that is its error
                return answer.result()
            self._answers.is_late = self.is_late or patience_s > 0
            raise self.unavailable(max(patience_s, LIMIT_S)) from None

    def answered(self, *, is_away: bool = False) -> None:
        """Take note that the store has answered, be it with an error.

        Args:
            is_away: whether the error is that it cannot be reached.
        """
        self._answers.last_at = self._clock()
        self._answers.is_late = False
        self._answers.is_away = is_away

    @property
    def is_up(self) -> bool:
        """Whether the store answers what it is asked, as far as is known."""
        return not (self._answers.is_away or self.is_late or self.is_hanging)

    @property
    def is_late(self) -> bool:
        """Whether one has waited in vain since the store last answered."""
        return self._answers.is_late

    @property
    def is_hanging(self) -> bool:
        """Whether a call takes too long, and none was answered since it began."""
        with self._lock:
            return any(began >= self._answers.last_at for began in self._hanging())

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
    def unavailable(waited_s: float = LIMIT_S) -> StoreUnavailable:
        """Return the error of a store that hangs."""
        return StoreUnavailable(
            f"the store has not answered for {waited_s:g} s, and does not fail either; see whether "
            "its file system hangs"
        )

    def _hanging(self) -> list[float]:
        """Return since when the calls last that hang; the caller holds the lock."""
        now = self._clock()
        return [one.began_at for one in self._running.values() if one.hangs_at <= now]

    def _run(self) -> None:
        me = threading.get_ident()
        while (job := self._jobs.get()) is not None:
            with self._lock:
                now = self._clock()
                self._running[me] = _Running(now, now + job.limit_s)
            try:
                job.run()
            finally:
                with self._lock:
                    del self._running[me]
