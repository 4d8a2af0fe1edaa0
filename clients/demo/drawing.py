"""A chart as positions and texts: all that the template needs to draw any of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LEFT: Final = 44
RIGHT: Final = 12
TOP: Final = 24
BOTTOM: Final = 38
"""Room around the plot, for ticks and names."""

Point = tuple[float, float]
Tick = tuple[float, str]


@dataclass(frozen=True)
class Bar:
    """A rectangle and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Series:
    """Points of one kind; `kind` is the colour's class, `name` the legend's text."""

    kind: str
    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Mark:
    """A line across the chart at `at`, upright or level."""

    at: float
    text: str
    is_upright: bool = True


@dataclass(frozen=True)
class Chart:
    """All that the template needs; positions are in the chart's own pixels."""

    description: str
    width: int
    height: int
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    x_name: str
    y_name: str
    bars: Sequence[Bar] = ()
    lines: Sequence[Series] = ()
    dots: Sequence[Series] = ()
    marks: Sequence[Mark] = ()

    @property
    def left(self) -> int:
        """Where the plot begins."""
        return LEFT

    @property
    def right(self) -> int:
        """Where the plot ends."""
        return self.width - RIGHT

    @property
    def top(self) -> int:
        """Where the plot begins from above."""
        return TOP

    @property
    def bottom(self) -> int:
        """Where the plot stands."""
        return self.height - BOTTOM
