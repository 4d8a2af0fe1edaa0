"""When a canary is worse than the current version: a one-sided test, never two numbers alone.

Errors: the lower bound of the canary's share of errors, by Wilson's interval, is above the limit,
and the current version's own share is not.

Latency: B is a bound of which it is as sure that the current version's quantile is not above it,
times the limit. The canary is too slow if the lower bound of its share of rows above B is larger
than it is for its own quantile at B: more than a half for the median. Metrics tell times as counts
below fixed bounds, so B is the next larger one, and a canary has to be slower by up to half as much
again before it is certain.

Both bounds are three standard deviations away. A canary as good as the current version is called
worse in one look of 700 at most; with few rows nothing is called anything.
"""

import math
from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from serving.guard.counts import Series, faults_of, rows_of

DEVIATIONS: Final = 3.0
"""Of the normal distribution: one-sided 99.87%."""


class Rule(BaseModel):
    """What a canary may not exceed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    errors: float = Field(0.02, ge=0, lt=1, description="share of its rows")
    latency: float = Field(1.5, ge=1, description="times the current version's")
    quantile: float = Field(0.5, gt=0, lt=1, description="of the latency; 0.5 is the median")
    min_rows: int = Field(200, ge=1, description="of the canary, before anything is decided")

    def has_enough(self, canary: Series) -> bool:
        """Return whether there are rows enough to decide."""
        return rows_of(canary) >= self.min_rows

    def breach(self, canary: Series, current: Series) -> str | None:
        """Return in words how the canary is worse, None if it is not or too little is known."""
        if not self.has_enough(canary):
            return None
        return self._too_many_errors(canary, current) or self._too_slow(canary, current)

    def _too_many_errors(self, canary: Series, current: Series) -> str | None:
        rows, faults = rows_of(canary), faults_of(canary)
        least = lower_bound(faults, rows)
        if least <= max(self.errors, share(faults_of(current), rows_of(current))):
            return None
        return f"{faults / rows:.1%} errors of {rows:,} rows, limit {100 * self.errors:.3g}%"

    def _too_slow(self, canary: Series, current: Series) -> str | None:
        rows, bounds = canary[math.inf], bounds_of(current)
        usual_s = quantile_at_most(current, self.quantile)
        if usual_s is None or not rows:
            return None
        slow_s = next((one for one in bounds if one >= usual_s * self.latency), math.inf)
        slower = rows - canary[slow_s]
        if lower_bound(slower, rows) <= 1 - self.quantile:
            return None
        return (
            f"{slower / rows:.1%} of {rows:,} rows took longer than {slow_s:g} s, where "
            f"{self.quantile:.0%} of the current version's take {usual_s:g} s at most, "
            f"limit {self.latency:g} times"
        )


def lower_bound(count: int, of: int, deviations: float = DEVIATIONS) -> float:
    """Return the lower end of Wilson's interval for a share; 0 where nothing is known."""
    if not of:
        return 0.0
    found, square = count / of, deviations**2
    middle = found + square / (2 * of)
    width = deviations * math.sqrt(found * (1 - found) / of + square / (4 * of**2))
    return max(0.0, (middle - width) / (1 + square / of))


def share(count: int, of: int) -> float:
    """Return a share; 0 of nothing."""
    return count / of if of else 0.0


def bounds_of(series: Series) -> Sequence[float]:
    """Return the bounds of the buckets of a version, in seconds, the last one infinite."""
    return sorted(key for key in series if isinstance(key, float))


def quantile_at_most(series: Series, quantile: float) -> float | None:
    """Return the least bound that a quantile is not above for certain; None if none is known."""
    rows = series[math.inf]
    bounds = (one for one in bounds_of(series) if math.isfinite(one))
    return next((one for one in bounds if lower_bound(series[one], rows) >= quantile), None)


def quantile_near(series: Series, quantile: float) -> float | None:
    """Return the bound below which a quantile lies, for people; None if nothing was answered."""
    rows = series[math.inf]
    below = (one for one in bounds_of(series) if rows and series[one] >= quantile * rows)
    return next(below, None)
