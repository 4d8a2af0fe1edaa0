"""Numbers compared: a row for each, a dot per value, whiskers for its spread, one scale for all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from trainer.page.frame import LINE, WIDE, Area, Caption, framed, widest
from trainer.page.palette import Kind
from trainer.page.scale import Number, Point, Scale, number
from trainer.page.svg import Drawing, element, rule, text, titled

_ROW: Final = 22.0
_GAP: Final = 26.0
_INSET: Final = 6.0
_RADIUS: Final = 3.8
_GAP_OF_TICKS: Final = 8.0
_FOOT: Final = 22.0


@dataclass(frozen=True)
class Dot:
    """One value.

    Attributes:
        value: in the unit of the scale.
        spread: its quartiles, interval or deviation, as the lowest and the highest value.
        kind: whose it is.
        text: how the value is written at the end of its row; empty for nothing.
        name: what the dot says when pointed at.
    """

    value: Number
    spread: Point | None = None
    kind: Kind = "ours"
    text: str = ""
    name: str = ""

    @property
    def ends(self) -> Point:
        """What the scale must hold."""
        low, high = self.spread or (self.value, self.value)
        return min(low, self.value), max(high, self.value)


@dataclass(frozen=True)
class Row:
    """A name, and for each column the dots that were measured."""

    name: str
    cells: Sequence[Sequence[Dot]]
    is_rival: bool = False


@dataclass(frozen=True)
class DotChart:
    """Rows by columns, all on one scale.

    Attributes:
        caption: around the chart.
        rows: first on top; each has a cell per column.
        scale: from the least to the greatest value.
        columns: headings; one empty one for a single column.
        base: a value to compare with, and its name.
        write: of the scale's ticks.
    """

    caption: Caption
    rows: Sequence[Row]
    scale: Scale
    columns: Sequence[str] = ("",)
    base: tuple[Number, str] | None = None
    write: Callable[[Number], str] = number


def draw_dots(chart: DotChart) -> Drawing:
    """Draw names on the left, then a column of dots for each heading.

    Raises:
        ValueError: there are no rows, or a row has another number of cells than there are columns.
    """
    if not chart.rows or any(len(row.cells) != len(chart.columns) for row in chart.rows):
        raise ValueError(f"dots: expected rows of {len(chart.columns)} cells, found {chart.rows}")
    names = widest([row.name for row in chart.rows]) + 14
    head = LINE + 3 if any(chart.columns) else 4.0
    height = head + len(chart.rows) * _ROW + _FOOT
    if chart.base and chart.base[1]:
        height += LINE
    room = widest([dot.text for row in chart.rows for cell in row.cells for dot in cell])
    values = room + 10 if room else 0.0

    def draw(top: Number) -> str:
        step = (WIDE - names + _GAP) / len(chart.columns)
        rows = Scale(0, len(chart.rows), top + head, top + head + len(chart.rows) * _ROW)
        parts = [
            text((0, rows(i + 0.5) + 4), row.name, None if row.is_rival else "name")
            for i, row in enumerate(chart.rows)
        ]
        for column in range(len(chart.columns)):
            start = names + column * step
            far = start + step - _GAP
            area = Area(chart.scale.over(start + _INSET, far - values), rows)
            parts += [_grid(chart, area, (start, far), column), _dots(chart, area, far, column)]
        return "".join(parts)

    return framed(chart.caption, (WIDE, height), draw)


def _grid(chart: DotChart, area: Area, ends: Point, column: int) -> str:
    """Return a hairline between rows, ticks, the column's heading and the line to compare with."""
    top, foot = area.y.start, area.y.end
    levels = [area.y(i) for i in range(len(chart.rows) + 1)]
    parts = [rule((ends[0], level), (ends[1], level), "hair") for level in levels]
    parts += [
        text((at, foot + LINE + 1), name, None, "middle") for at, name in _ticks(chart, area.x)
    ]
    parts.append(text((ends[0], top - 7), chart.columns[column], "head"))
    if chart.base is not None:
        at = area.x(chart.base[0])
        parts.append(rule((at, top), (at, foot + 3), "rule"))
        name = chart.base[1] if column == 0 else ""
        parts.append(text((at, foot + 2 * LINE), name, None, "middle"))
    return "".join(parts)


def _dots(chart: DotChart, area: Area, far: Number, column: int) -> str:
    """Return the dots of a column, and their values at its right edge."""
    parts = []
    for i, row in enumerate(chart.rows):
        level = area.y(i + 0.5)
        parts += [_dot(dot, area.x, level) for dot in row.cells[column]]
        words = ", ".join(dot.text for dot in row.cells[column] if dot.text)
        parts.append(text((far, level + 4), words, None if row.is_rival else "name", "end"))
    return "".join(parts)


def _ticks(chart: DotChart, x: Scale) -> list[tuple[Number, str]]:
    """Return places and texts of the ticks, as many round ones as do not touch."""
    for most in (6, 4, 3, 2, 1):
        shown = [(x(value), chart.write(value)) for value in x.ticks(most)]
        gaps = [right[0] - left[0] for left, right in pairwise(shown)]
        widths = [_GAP_OF_TICKS + widest([left[1], right[1]]) for left, right in pairwise(shown)]
        if all(gap > width for gap, width in zip(gaps, widths, strict=True)):
            return shown
    return []


def _dot(dot: Dot, x: Scale, level: Number) -> str:
    whisker = ""
    if dot.spread is not None:
        whisker = rule((x(dot.spread[0]), level), (x(dot.spread[1]), level), "whisker")
    mark = element("circle", class_="fill", cx=x(dot.value), cy=level, r=_RADIUS)
    return element("g", titled(dot.name) + whisker + mark, class_=dot.kind)
