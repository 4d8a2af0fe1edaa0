"""The integer weights that resize one axis of an 8-bit image: the rule's numbers.

Every number is made once, in float64 and in a fixed order, and rounded to `BITS` fractional bits.
What is done with them is exact: `(sum of pixel * weight + half) >> BITS`, held to 0..255. So
whatever multiplies and adds integers gets the same pixels.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float64, Int32, Int64

BITS: Final = 22
"""Of a weight after the point: with 8 of a pixel, a sum stays below 2**31."""

HALF: Final = 1 << (BITS - 1)

_KEPT: Final = 128
"""Tables; one has 20 kB for a usual photo, and 500 kB at most within a service's limits."""

_Values = Float64[np.ndarray, "n taps"]


def _bilinear(x: _Values) -> _Values:
    return np.maximum(1.0 - x, 0.0)


def _bicubic(x: _Values) -> _Values:
    a = -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


_FILTERS: Final[dict[str, tuple[Callable[[_Values], _Values], float]]] = {
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
}
"""Each with the distance at which it ends."""


class Axis(NamedTuple):
    """How one axis is resized, and which part of the result is wanted.

    Attributes:
        size: before, in pixels.
        resized: after, in pixels.
        start: the first wanted position after; outside of 0..resized everything is black.
        length: how many positions are wanted.
    """

    size: int
    resized: int
    start: int
    length: int

    @property
    def is_whole(self) -> bool:
        """Whether all of the result is wanted, and nothing else."""
        return (self.start, self.length) == (0, self.resized)


class Weights(NamedTuple):
    """What each wanted position is made of: `sum(weights[t] * pixel[first + t])`.

    Attributes:
        first: where its pixels begin.
        weights: zero beyond the axis' end, and everywhere for a position outside.
        span: the pixels that any position needs: from, and up to but without.
    """

    first: Int64[np.ndarray, " length"]
    weights: Int32[np.ndarray, "length taps"]
    span: tuple[int, int]


@lru_cache(_KEPT)
def weights_of(axis: Axis, interpolation: str) -> Weights:
    """Return the weights of an axis by an interpolation of `Preprocessing`; read them only."""
    shape, end = _FILTERS[interpolation]
    scale = axis.size / axis.resized
    widened = max(scale, 1.0)
    reach = end * widened
    positions = np.arange(axis.start, axis.start + axis.length)
    is_inside = (positions >= 0) & (positions < axis.resized)
    centres = (positions.clip(0, axis.resized - 1) + 0.5) * scale
    first = np.trunc(centres - reach + 0.5).clip(0).astype(np.int64)
    last = np.trunc(centres + reach + 0.5).clip(max=axis.size).astype(np.int64)
    at = first[:, None] + np.arange((last - first).max())
    values = shape(np.abs((at - centres[:, None] + 0.5) * (1.0 / widened)))
    values[(at >= last[:, None]) | ~is_inside[:, None]] = 0.0
    return Weights(first, _rounded(values), (int(first.min()), int(last.max())))


def _rounded(values: _Values) -> Int32[np.ndarray, "n taps"]:
    """Return values as integers, those of a position with the sum of 1."""
    sums = np.cumsum(values, axis=1)[:, -1:]  # from left to right, as the rule says
    values = values / np.where(sums == 0.0, 1.0, sums)
    return np.trunc(values * (1 << BITS) + np.copysign(0.5, values)).astype(np.int32)
