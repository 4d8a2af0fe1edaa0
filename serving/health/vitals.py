"""Whether this worker still has a device, judged after each batch; and its end if it has none.

A lost device never comes back within its process: every later forward fails. So the worker tells
its callers to ask again, and ends; whoever started it starts another. Knows outcomes, but neither
torch nor HTTP.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Final

from adapters.errors import SptError
from serving.errors import DeviceAway, DeviceLost
from serving.health.heartbeat import Heartbeat

MOST_FAILURES: Final = 5
"""Batches in a row in which rows failed by our fault and not one was answered."""

_HAND_OVER_S: Final = 0.5
"""What TorchServe has to take the last answers, before the worker ends."""

_log = logging.getLogger(__name__)


class Vitals:
    """What the worker knows of its own health.

    Args:
        heartbeat: beats with each batch that has an answer.
        probe: computes one row of nothing on the device, and raises what that raises.
        end: ends this process at once.
    """

    def __init__(
        self,
        heartbeat: Heartbeat,
        probe: Callable[[], None],
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self.heartbeat = heartbeat
        self._probe = probe
        self._end = end
        self._failures = 0
        self._is_ending = False

    @property
    def is_ending(self) -> bool:
        """Whether the device is lost and the process about to end: it answers nothing more."""
        return self._is_ending

    def judge(self, outcomes: Sequence[object]) -> None:
        """Learn from a batch: what its rows came to, answers and errors."""
        if any(isinstance(one, DeviceLost) for one in outcomes):
            self._end_soon("the device is lost")
            return
        if outcomes and all(isinstance(one, DeviceAway) for one in outcomes):
            return  # the device is another process', which has its own vitals
        if any(not isinstance(one, Exception) for one in outcomes):
            self._well()
            return
        if not any(_is_our_fault(one) for one in outcomes):
            return  # what callers do wrong tells nothing of the device
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            self.probe()  # a caller may have found what always fails; that is no lost device

    def probe(self) -> None:
        """Learn from one row of our own, when there is nothing else to learn from."""
        try:
            self._probe()
        except DeviceAway:
            pass  # as in `judge`
        except Exception as error:
            self._failures += 1
            lost = isinstance(error, DeviceLost)
            if lost or self._failures >= MOST_FAILURES:
                self._end_soon(f"a row of our own fails: {type(error).__name__}: {error}")
        else:
            self._well()

    def examine(self) -> None:
        """Do the same for somebody who wants to know; raise what keeps the row from its end."""
        try:
            self._probe()
        except Exception as error:
            self.judge([error])
            raise
        self._well()

    def _well(self) -> None:
        self._failures = 0
        self.heartbeat.beat()

    def _end_soon(self, reason: str) -> None:
        if self._is_ending:
            return
        self._is_ending = True
        _log.error("%s; this worker ends, and another one begins", reason)
        timer = threading.Timer(_HAND_OVER_S, self._end, (1,))
        timer.daemon = True
        timer.start()


def _is_our_fault(outcome: object) -> bool:
    return isinstance(outcome, Exception) and not isinstance(outcome, SptError)
