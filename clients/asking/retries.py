"""Whether a call that failed is asked again, and when. Sends nothing and never sleeps.

Predictions change nothing, so asking twice does no harm.
"""

import random
import time
from collections.abc import Callable
from typing import Final

import httpx

from clients.errors import ClientError, ServerFault
from serving.protocol import ErrorCode

FIRST_S: Final = 0.1
"""The first wait, about; each following one is twice as long."""

MOST_S: Final = 5.0
"""The longest wait of ours; the service may ask for a longer one."""


class Retries:
    """The attempts of one call, which share one deadline.

    Args:
        most: how often it is asked again.
        deadline_s: for all attempts and the waits between them.
        is_hopeless: whether asking again is in vain, whatever the error is.
        are_refusals_free: whether attempts count that found nobody listening: they cost nobody
            anything, and a service that is being restarted refuses for as long as it takes.
        clock: seconds that only grow.
        draw: in [0, 1), another one each time: callers must not come back all at once.
    """

    def __init__(
        self,
        most: int,
        deadline_s: float,
        *,
        is_hopeless: Callable[[], bool] = lambda: False,
        are_refusals_free: bool = False,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._most = most
        self._is_hopeless = is_hopeless
        self._are_refusals_free = are_refusals_free
        self._clock = clock
        self._draw = draw
        self._ends_at = clock() + deadline_s
        self._waits = self._counted = 0

    @property
    def left_s(self) -> float:
        """Seconds until the deadline, not below 0."""
        return max(0.0, self._ends_at - self._clock())

    def wait_s(self, error: ClientError) -> float | None:
        """Return how long to wait before the call is asked again, None where it is not.

        Args:
            error: that the last attempt ended with.
        """
        if not may_pass(error) or self._is_hopeless():
            return None
        if not (self._are_refusals_free and _was_refused(error)):
            if self._counted >= self._most:
                return None
            self._counted += 1
        backoff_s = min(MOST_S, FIRST_S * 2 ** min(self._waits, 30))
        self._waits += 1
        if error.retry_after_s is None:
            wait_s = backoff_s * (1 + self._draw()) / 2
        else:
            wait_s = error.retry_after_s + backoff_s * self._draw()
        return wait_s if wait_s < self.left_s else None


def may_pass(error: ClientError) -> bool:
    """Return whether the same call may be answered later.

    That is so for every error that is `retryable`, and for a 500 that is nobody's known fault.
    """
    is_unknown = isinstance(error, ServerFault) and error.code in {None, ErrorCode.INTERNAL}
    return error.retryable or is_unknown


def _was_refused(error: ClientError) -> bool:
    return isinstance(error.__cause__, httpx.ConnectError)
