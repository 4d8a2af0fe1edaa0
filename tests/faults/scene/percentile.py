"""Percentiles of what was measured, by nearest rank: a value that was really seen."""

import math
from collections.abc import Sequence

from clients.load.closed import Outcome


def percentile(values: Sequence[float], fraction: float) -> float:
    """Return the smallest value that so large a fraction does not exceed; NaN of no values."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(fraction * len(values)) - 1)]


def latency_ms(outcomes: Sequence[Outcome], fraction: float) -> float:
    """Return a percentile of the answered requests' latency."""
    return 1e3 * percentile([one.latency_s for one in outcomes if one.error is None], fraction)
