"""How much memory processes hold, and whether that grows."""

from collections.abc import Mapping, Sequence
from statistics import linear_regression

import psutil


def megabytes(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Return the resident memory of each process, in millions of bytes."""
    return {name: process.memory_info().rss / 1e6 for name, process in processes.items()}


def growth(at: Sequence[float], sizes: Sequence[float]) -> float:
    """Return by what share a straight line through the sizes rises from first to last.

    Args:
        at: when each size was measured, ascending.
        sizes: at least two.
    """
    slope, start = linear_regression(at, sizes)
    first = start + slope * at[0]
    return slope * (at[-1] - at[0]) / first
