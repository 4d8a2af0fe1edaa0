"""Values over epochs, shares or rates: lines named where they end, bands, levels, a ring."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from trainer.page.frame import WIDE, Area, Caption, apart, framed, named, widest
from trainer.page.palette import Kind
from trainer.page.scale import Number, Point, Scale, Tick, around, number
from trainer.page.svg import Drawing, element, path, rule, text, titled

_BOTTOM: Final = 36.0
_HEAD: Final = 18.0
_DOTTED_UP_TO: Final = 12


@dataclass(frozen=True)
class Line:
    """One line; where a value is not finite it is broken.

    Attributes:
        name: written at its end; of an unnamed line nothing is.
        points: places and values, places ascending.
        kind: whose it is.
        band: lowest and highest value of every place.
        opacity: of the line.
        title: what it says when pointed at; its name by default.
    """

    name: str
    points: Sequence[Point]
    kind: Kind = "ours"
    band: Sequence[Point] = ()
    opacity: Number = 1.0
    title: str = ""

    @property
    def seen(self) -> list[Point]:
        """The points that can be drawn."""
        return [point for point in self.points if math.isfinite(point[1])]


@dataclass(frozen=True)
class Panel:
    """Lines that share a plot.

    Attributes:
        lines: at least one has a value.
        title: of the panel.
        level: a value to compare with, and its name.
        mark: a point worth a ring.
    """

    lines: Sequence[Line]
    title: str = ""
    level: tuple[Number, str] | None = None
    mark: Point | None = None

    @property
    def values(self) -> list[Number]:
        """Everything that the vertical axis must hold."""
        levels = [] if self.level is None else [self.level[0]]
        bands = [value for line in self.lines for pair in line.band for value in pair]
        return [value for line in self.lines for _, value in line.seen] + levels + bands

    @property
    def ends(self) -> list[tuple[Number, str, Kind]]:
        """The values at the right edge that have a name."""
        found = [
            (one.seen[-1][1], one.name, one.kind) for one in self.lines if one.name and one.seen
        ]
        return found + ([] if self.level is None else [(*self.level, "before")])


@dataclass(frozen=True)
class LineChart:
    """Panels on one pair of scales.

    Attributes:
        caption: around all of them.
        panels: at least one.
        x_name: what the places are.
        write: of a value.
        y: the vertical scale; None is the one that just encloses the values.
        x_ticks: places and their names; None for round ones.
        log_x: space the places by their logarithm.
        whole_x: name whole places only.
        columns: panels side by side, at most.
        size: width of the figure, height of a panel's plot.
    """

    caption: Caption
    panels: Sequence[Panel]
    x_name: str
    write: Callable[[Number], str] = number
    y: Scale | None = None
    x_ticks: Sequence[Tick] | None = None
    log_x: bool = False
    whole_x: bool = True
    columns: int = 1
    size: Point = (WIDE, 200.0)


def draw_lines(chart: LineChart) -> Drawing:
    """Draw every panel on the scales that hold the values of all.

    Raises:
        ValueError: there is no finite value.
    """
    values = [value for panel in chart.panels for value in panel.values]
    places = [x for panel in chart.panels for line in panel.lines for x, _ in line.points]
    if not values:
        raise ValueError("lines: expected at least one finite value, found none")
    y = chart.y or around(values)
    x = Scale(min(places), max(*places, min(places) + 1e-9), is_log=chart.log_x)
    head = _HEAD if any(panel.title for panel in chart.panels) else 8.0
    tall = head + chart.size[1] + _BOTTOM
    rows = -(-len(chart.panels) // chart.columns)

    def draw(top: Number) -> str:
        step = (chart.size[0] + 18) / chart.columns
        drawn = []
        for i, panel in enumerate(chart.panels):
            column, row = i % chart.columns, i // chart.columns
            start, floor = column * step, top + row * tall + head + chart.size[1]
            names = widest([name for _, name, _ in panel.ends])
            inner = start + widest([chart.write(tick) for tick in y.ticks()]) + 10
            end = start + step - 18 - (names + 12 if names else 8)
            area = Area(x.over(inner, end), y.over(floor, floor - chart.size[1]))
            drawn.append(_panel(chart, panel, area, is_last=i + chart.columns >= len(chart.panels)))
        return "".join(drawn)

    return framed(chart.caption, (chart.size[0], rows * tall), draw)


def _panel(chart: LineChart, panel: Panel, area: Area, *, is_last: bool) -> str:
    found = [tick for tick in area.x.ticks(5) if tick % 1 == 0 or not chart.whole_x]
    shown = named(found) if chart.x_ticks is None else chart.x_ticks
    name = chart.x_name if is_last else ""
    parts = [area.axes(shown, named(area.y.ticks(), chart.write), name)]
    if panel.title:
        parts.append(text((area.x.start, area.y.end - 9), panel.title, "head"))
    if panel.level is not None:
        at = area.y(panel.level[0])
        parts.append(rule((area.x.start, at), (area.x.end, at), "rule"))
    parts += [_line(line, area) for line in panel.lines]
    if panel.mark is not None:
        x, y = area(*panel.mark)
        parts.append(element("circle", class_="ring ours", cx=x, cy=y, r=4))
    return "".join((*parts, _names(panel, area)))


def _line(line: Line, area: Area) -> str:
    pieces = [
        [area(*point) for point in group]
        for is_seen, group in groupby(line.points, lambda point: math.isfinite(point[1]))
        if is_seen
    ]
    strokes = "".join(
        element("path", titled(line.title or line.name), class_="line", d=path(piece))
        for piece in pieces
    )
    dots = ""
    if len(line.points) <= _DOTTED_UP_TO:
        dots = "".join(
            element("circle", class_="fill", cx=x, cy=y, r=2.6)
            for piece in pieces
            for x, y in piece
        )
    faint = None if line.opacity == 1 else line.opacity
    return element("g", _band(line, area) + strokes + dots, class_=line.kind, opacity=faint)


def _band(line: Line, area: Area) -> str:
    if not line.band:
        return ""
    places = [x for x, _ in line.points]
    low = [area(x, pair[0]) for x, pair in zip(places, line.band, strict=True)]
    high = [area(x, pair[1]) for x, pair in zip(places, line.band, strict=True)]
    return element("path", class_="band", d=path([*low, *reversed(high)], is_closed=True))


def _names(panel: Panel, area: Area) -> str:
    heights = apart([area.y(value) for value, _, _ in panel.ends], area.y.end, area.y.start)
    return "".join(
        text((area.x.end + 9, height + 4), name, f"label {kind}")
        for height, (_, name, kind) in zip(heights, panel.ends, strict=True)
    )
