"""Keeps a Redis that is down out of the request path.

Knows nothing of Redis: it is told what was answered and what failed, and says whether to ask.
"""

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Breaker:
    """Opens at the first failure, closes at the first answer; safe for many threads.

    While it is open, one caller is let through now and then to see whether Redis is back, unless
    somebody else sees to that.

    Args:
        retry_after_s: how long a Redis that failed is left alone.
        clock: seconds that only grow.

    Attributes:
        is_up: whether the last command that was sent was answered.
        is_probed_elsewhere: whether callers are never let through while it is open.
    """

    def __init__(
        self, retry_after_s: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.is_up = True
        self.is_probed_elsewhere = False
        self._retry_after_s = retry_after_s
        self._clock = clock
        self._retry_at = 0.0
        self._trouble: str | None = None
        self._lock = threading.Lock()

    def lets_through(self) -> bool:
        """Return whether to send a command now."""
        if self.is_up:
            return True
        if self.is_probed_elsewhere:
            return False
        with self._lock:
            if self._clock() < self._retry_at:
                return False
            self._retry_at = self._clock() + self._retry_after_s
            return True

    def failed(self, trouble: str, reason: str) -> None:
        """Take note that a command was not answered.

        Args:
            trouble: what is wrong; logged when it begins and not while it lasts.
            reason: what was seen of it.
        """
        with self._lock:
            self.is_up = False
            self._retry_at = self._clock() + self._retry_after_s
            is_new, self._trouble = self._trouble != trouble, trouble
        if is_new:
            _log.warning("%s (%s); going on from the store", trouble, reason)

    def answered(self) -> None:
        """Take note that a command was answered."""
        if self.is_up:
            return
        with self._lock:
            was_up, self.is_up, self._trouble = self.is_up, True, None
        if not was_up:
            _log.warning("Redis is up again")
