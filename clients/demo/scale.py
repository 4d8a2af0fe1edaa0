"""From values to positions on a chart, and the round values worth a tick. Draws nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Maps `low … high` linearly to `start … end`, which may run downwards."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the position of a value, to a tenth."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.0
        return round(self.start + share * (self.end - self.start), 1)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return at most `most` + 1 round values from `low` to `high`: multiples of 1, 2 or 5."""
    if high <= low:
        return [low]
    rough = (high - low) / most
    power = 10 ** math.floor(math.log10(rough))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def number(value: float) -> str:
    """Return a tick's text without trailing zeros."""
    return f"{value:,.10g}"


def histogram(values: Sequence[float], num_bins: int, high: float) -> list[int]:
    """Count values in equal bins from 0 to `high`; what is larger goes into the last one."""
    counts = [0] * num_bins
    for value in values:
        counts[min(num_bins - 1, int(value / high * num_bins))] += 1
    return counts
