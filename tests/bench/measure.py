"""Fair timing on a noisy machine: candidates take turns, and ratios compare runs of one round."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of some numbers."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise at least one number; the quartiles of one number are itself."""
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def times(self, factor: float) -> "Spread":
        """Return the same spread in another unit."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)


Seconds = dict[str, list[float]]
"""Per candidate, the duration of each round."""


def in_turns(
    candidates: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> Seconds:
    """Time every candidate once per round; the order turns around each round.

    Args:
        candidates: each one does its whole work and waits for it before it returns.
        rounds: measured.
        warm_up: rounds before them whose times are thrown away.
        clock: what tells the seconds, such as those of the processor.
    """
    seconds: Seconds = {name: [] for name in candidates}
    for number in range(warm_up + rounds):
        order = list(candidates) if number % 2 else list(reversed(candidates))
        for name in order:
            start = clock()
            candidates[name]()
            taken = clock() - start
            if number >= warm_up:
                seconds[name].append(taken)
    return seconds


def speed_ratio(seconds: Seconds, candidate: str, over: str) -> Spread:
    """Return how many times the throughput of `over` the candidate has, round by round."""
    return Spread.of(
        [theirs / ours for ours, theirs in zip(seconds[candidate], seconds[over], strict=True)]
    )
