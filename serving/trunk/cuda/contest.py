"""Which of several recordings of the same is the fastest on this device: measured, not guessed."""

import logging
from collections.abc import Mapping
from typing import Final

import torch

from serving.trunk.cuda.recording import Recording

ROUNDS: Final = 5
REPEATS: Final = 10
"""Of one recording, queued at once: the device then waits for nothing."""

_log = logging.getLogger(__name__)


def fastest(ways: Mapping[str, Recording]) -> str:
    """Return the name of the recording that takes least time; all take turns. Logs their times.

    Args:
        ways: by name; one at least.
    """
    rounds = [{name: device_seconds(way) for name, way in ways.items()} for _ in range(ROUNDS)]
    best = {name: min(times[name] for times in rounds) for name in ways}
    told = ", ".join(f"{name} {taken * 1e3:.3f} ms" for name, taken in best.items())
    chosen = min(best, key=lambda name: best[name])
    _log.info("%s is kept: %s", chosen, told)
    return chosen


def device_seconds(way: Recording) -> float:
    """Return what one repetition takes by the device's own clock."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(REPEATS):
        way.replay()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / REPEATS
