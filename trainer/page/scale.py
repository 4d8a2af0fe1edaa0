"""From values to positions, and the round values worth a tick. Draws nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

Number = float | int
Point = tuple[Number, Number]
"""A pair of values, or a place in pixels from the left and from the top."""

Tick = tuple[Number, str]
"""A value, and how it is written."""


@dataclass(frozen=True)
class Scale:
    """Maps `low … high` to `start … end`, which may run downwards, evenly or by logarithm."""

    low: Number
    high: Number
    start: Number = 0.0
    end: Number = 1.0
    is_log: bool = False

    def __call__(self, value: Number) -> Number:
        """Return a value's position."""
        low, high, at = (self._even(number) for number in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.0
        return self.start + share * (self.end - self.start)

    def over(self, start: Number, end: Number) -> "Scale":
        """Return the same scale between other positions."""
        return replace(self, start=start, end=end)

    def ticks(self, most: int = 4) -> list[Number]:
        """Return round values within the scale, its ends among them where they are round."""
        if self.is_log:
            return _of_powers(self.low, self.high)
        slack = 1e-9 * (self.high - self.low)
        found = levels(self.low, self.high, most)
        return [level for level in found if self.low - slack <= level <= self.high + slack]

    def _even(self, value: Number) -> Number:
        return math.log(value) if self.is_log else value


def around(values: Sequence[Number], *, floor: Number | None = None, most: int = 4) -> Scale:
    """Return the scale that encloses all values and begins and ends at round ones.

    Args:
        values: finite; of none, the scale is that of 0 and 1.
        floor: is enclosed too.
        most: steps between ticks, or so.
    """
    known = [*values, *([] if floor is None else [floor])] or [0.0, 1.0]
    found = levels(min(known), max(known), most)
    return Scale(found[0], found[-1])


def levels(low: Number, high: Number, most: int = 4) -> list[Number]:
    """Return round values, steps of 1, 2 or 5, that enclose `low … high` in `most` steps or so."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= span / most * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, max(last, first + 1) + 1)]


def number(value: Number) -> str:
    """Return a tick's text without trailing zeros."""
    return f"{value:,.10g}".replace("-", "\N{MINUS SIGN}")


def histogram(values: Sequence[Number], num_bins: int, high: Number) -> list[int]:
    """Count values in equal bins from 0 to `high`; what is larger goes into the last one."""
    counts = [0] * num_bins
    for value in values:
        counts[min(num_bins - 1, int(value / high * num_bins))] += 1
    return counts


def _of_powers(low: Number, high: Number) -> list[Number]:
    """Return powers of 10, and their 2 and 5 where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1,), (1, 2, 5)):
        found = [m * 10.0**power for power in range(first, last + 1) for m in steps]
        inside = [float(f"{v:.12g}") for v in found if low * 0.999 <= v <= high * 1.001]
        if len(inside) > 2:
            break
    return inside
