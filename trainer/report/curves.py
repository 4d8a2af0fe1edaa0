"""Values per epoch as lines: values in, positions and tick texts out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

WIDTH: Final = 340
HEIGHT: Final = 180
LEFT: Final = 48
RIGHT: Final = 328
TOP: Final = 12
BOTTOM: Final = 148
"""The chart and the plot inside it, in pixels."""

_FAINTEST: Final = 0.3

Point = tuple[float, float]
Tick = tuple[float, str]


@dataclass(frozen=True)
class Line:
    """One value per epoch; where a value is missing the line is broken into pieces."""

    title: str
    pieces: Sequence[Sequence[Point]]
    opacity: float


@dataclass(frozen=True)
class Curve:
    """All that the template needs to draw one chart; positions are in the chart's own pixels."""

    name: str
    description: str
    note: str
    lines: Sequence[Line]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    kept: Point | None
    kept_text: str


@dataclass(frozen=True)
class Series:
    """What to draw: a name, one value per epoch for each line, and what a reader must know."""

    name: str
    lines: Sequence[Sequence[float]]
    write: Callable[[float], str]
    line_names: Sequence[str] = ("",)
    floor: float | None = None
    note: str = ""


def draw_curve(series: Series, kept: int | None = None) -> Curve | None:
    """Place every line of a series; the first is the faintest, the last the strongest.

    Args:
        series: its values are of the epochs 1, 2, …; those that are not finite are left out. Its
            `floor` is where the vertical axis begins; None fits it to the values.
        kept: the epoch to mark on the last line, from 1.

    Returns:
        The chart, or None where there is nothing to draw.
    """
    seen = [value for line in series.lines for value in line if math.isfinite(value)]
    if not seen:
        return None
    num_epochs = max(len(line) for line in series.lines)
    low = min(seen) if series.floor is None else min(series.floor, *seen)
    levels = round_levels(low, max(seen))
    place = _placer(max(2, num_epochs), (levels[0], levels[-1]))
    mark = _value_at(series.lines[-1], kept)
    return Curve(
        name=series.name,
        description=_describe(series),
        note=series.note,
        lines=[
            Line(name, _pieces(line, place), _opacity(i, len(series.lines)))
            for i, (name, line) in enumerate(zip(series.line_names, series.lines, strict=True))
        ],
        x_ticks=[(place(epoch, low)[0], str(epoch)) for epoch in _epoch_ticks(num_epochs)],
        y_ticks=[(place(1, level)[1], series.write(level)) for level in levels],
        kept=None if kept is None or mark is None else place(kept, mark),
        kept_text="" if mark is None else f"kept: epoch {kept}, {series.write(mark)}",
    )


def round_levels(low: float, high: float, most: int = 4) -> list[float]:
    """Return round values, steps of 1, 2 or 5, that enclose `low … high` in `most` steps or so."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= span / most * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _epoch_ticks(num_epochs: int) -> list[int]:
    levels = round_levels(1.0, float(max(2, num_epochs)), most=6)
    return [round(epoch) for epoch in levels if epoch % 1 == 0 and 1 <= epoch <= num_epochs]


def _value_at(line: Sequence[float], epoch: int | None) -> float | None:
    if epoch is None or not 1 <= epoch <= len(line):
        return None
    return line[epoch - 1] if math.isfinite(line[epoch - 1]) else None


def _describe(series: Series) -> str:
    parts = []
    for name, line in zip(series.line_names, series.lines, strict=True):
        if finite := [value for value in line if math.isfinite(value)]:
            ends = f"from {series.write(finite[0])} to {series.write(finite[-1])}"
            parts.append(f"{name} {ends}".strip())
    return f"{series.name} by epoch: {'; '.join(parts)}"


def _opacity(index: int, num_lines: int) -> float:
    share = index / (num_lines - 1) if num_lines > 1 else 1.0
    return round(_FAINTEST + (1 - _FAINTEST) * share, 2)


def _pieces(line: Sequence[float], place: Callable[[int, float], Point]) -> list[list[Point]]:
    gaps = [i for i, value in enumerate(line) if not math.isfinite(value)]
    spans = pairwise([-1, *gaps, len(line)])
    pieces = [[place(i + 1, line[i]) for i in range(a + 1, b)] for a, b in spans]
    return [piece for piece in pieces if piece]


def _placer(num_epochs: int, y: tuple[float, float]) -> Callable[[int, float], Point]:
    def place(epoch: int, value: float) -> Point:
        right = (epoch - 1) / (num_epochs - 1)
        up = (value - y[0]) / (y[1] - y[0])
        return round(LEFT + right * (RIGHT - LEFT), 1), round(BOTTOM - up * (BOTTOM - TOP), 1)

    return place
