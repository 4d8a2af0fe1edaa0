"""What surrounds every chart: the finding above it, axes, names at line ends, conditions below."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from trainer.page.scale import Number, Point, Scale, Tick, number
from trainer.page.svg import TEXT, TITLE, Drawing, rule, text, width_of, wrapped

WIDE: Final = 668.0
SMALL: Final = 420.0
"""Widths of a chart that has a line for itself, and of one of two side by side."""

LINE: Final = 15.0
"""Distance of lines of text."""

_BOLD: Final = 1.15
"""How much wider bold letters are, at most."""

_TITLE_LINE: Final = 19.0
_GAP: Final = 10.0


@dataclass(frozen=True)
class Caption:
    """The words around a chart.

    Attributes:
        title: what the chart shows, as a sentence.
        unit: what its numbers are.
        notes: under which conditions they came about, and what a reader must know.
        description: for those who cannot see it; the title by default.
    """

    title: str = ""
    unit: str = ""
    notes: Sequence[str] = ()
    description: str = ""


@dataclass(frozen=True)
class Area:
    """The rectangle of a plot and its scales, in pixels of its drawing."""

    x: Scale
    y: Scale

    def __call__(self, x: Number, y: Number) -> Point:
        """Return the place of a pair of values."""
        return self.x(x), self.y(y)

    def axes(self, x_ticks: Sequence[Tick], y_ticks: Sequence[Tick], x_name: str = "") -> str:
        """Return level lines with their values on the left, and values below."""
        left, right, bottom = self.x.start, self.x.end, self.y.start
        lines = [rule((left, self.y(v)), (right, self.y(v)), "hair") for v, _ in y_ticks]
        values = [text((left - 7, self.y(v) + 4), words, None, "end") for v, words in y_ticks]
        places = [
            text((self.x(v), bottom + LINE + 2), words, None, "middle") for v, words in x_ticks
        ]
        name = [text((right, bottom + 2 * LINE + 3), x_name, None, "end")] if x_name else []
        return "".join((*lines, *values, *places, *name))


def named(ticks: Sequence[Number], write: Callable[[Number], str] = number) -> list[Tick]:
    """Return ticks with their texts."""
    return [(tick, write(tick)) for tick in ticks]


def framed(caption: Caption, size: Point, draw: Callable[[Number], str]) -> Drawing:
    """Put a chart between its words.

    Args:
        caption: title and unit go above, notes below.
        size: width of the whole, height of the chart alone.
        draw: takes the top of the chart's room, which is as wide as the whole.
    """
    width, height = size
    words, top = [], 0.0
    for line in wrapped(caption.title, width, _BOLD * TITLE):
        words.append(text((0, top + TITLE - 2), line, "title"))
        top += _TITLE_LINE
    for line in wrapped(caption.unit, width):
        words.append(text((0, top + TEXT), line))
        top += LINE
    top += _GAP if words else 0.0
    foot = top + height
    for line in (line for note in caption.notes for line in wrapped(note, width)):
        words.append(text((0, foot + TEXT + _GAP), line))
        foot += LINE
    foot += _GAP if caption.notes else 0.0
    body = "".join(words) + draw(top)
    return Drawing(width, round(foot), caption.description or caption.title, body)


def apart(
    heights: Sequence[Number], low: Number, high: Number, gap: Number = LINE - 2
) -> list[Number]:
    """Move names at line ends apart by at least a gap, in their order, and between two bounds.

    Where they have no room between the bounds they begin above the upper one.
    """
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = [max(low, heights[i]) for i in order]
    for k in range(1, len(placed)):
        placed[k] = max(placed[k], placed[k - 1] + gap)
    for k in reversed(range(len(placed))):
        placed[k] = min(placed[k], high if k == len(placed) - 1 else placed[k + 1] - gap)
    found = [0.0] * len(heights)
    for i, height in zip(order, placed, strict=True):
        found[i] = height
    return found


def widest(names: Sequence[str]) -> Number:
    """Return the room that the longest of some names takes, 0 of none."""
    return max(map(width_of, names), default=0.0)
