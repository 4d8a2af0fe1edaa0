"""A thread that has shadows compute while nobody else does, for an engine in one process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.shadow.shadows import QUIET_S, Shadows


class SpareTime:
    """Says whose turn it is: a caller's at once, unless a shadow's forward is just being computed.

    Args:
        shadows: what is computed in between.
        clock: seconds that only grow.
    """

    def __init__(self, shadows: Shadows, clock: Callable[[], float] = time.monotonic) -> None:
        self._shadows = shadows
        self._clock = clock
        self._changed = threading.Condition()
        self._callers = 0
        self._is_computing = False
        self._idle_since = 0.0
        self._is_closed = False
        self._thread: threading.Thread | None = None

    @contextmanager
    def interrupted(self) -> Iterator[None]:
        """Have the device for a batch of callers; waits for a shadow's forward at most."""
        with self._changed:
            self._callers += 1  # from now on no other forward begins
            self._changed.wait_for(lambda: not self._is_computing)
        try:
            yield
        finally:
            with self._changed:
                self._callers -= 1
                self._idle_since = self._clock()
                if self._shadows.due_in_s is not None:
                    self._begin()
                self._changed.notify_all()

    def close(self) -> None:
        """End, after a forward that is being computed."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> None:
        """Start the thread with the first copy: most engines have no shadows."""
        if self._thread is None and not self._is_closed:
            self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._has_turn():
            self._shadows.compute()
            with self._changed:
                self._is_computing = False
                self._changed.notify_all()

    def _has_turn(self) -> bool:
        """Wait until nothing was computed for a moment; False once it is closed."""
        with self._changed:
            while not self._is_closed:
                due_in_s = self._due_in_s()
                if due_in_s == 0:
                    self._is_computing = True
                    return True
                self._changed.wait(due_in_s)
            return False

    def _due_in_s(self) -> float | None:
        due_in_s = self._shadows.due_in_s
        if self._callers or due_in_s is None:
            return None
        return max(0.0, due_in_s, self._idle_since + QUIET_S - self._clock())
