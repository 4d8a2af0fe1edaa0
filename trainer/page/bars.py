"""How many of each: upright bars of counts, and a histogram of times with its percentiles."""

from collections.abc import Mapping, Sequence
from typing import Final

from trainer.page.frame import SMALL, Area, Caption, framed, named
from trainer.page.scale import Number, Point, Scale, around, histogram, number
from trainer.page.svg import Anchor, Drawing, element, rule, text, titled, width_of

_HEIGHT: Final = 160.0
_LEFT, _TOP, _BOTTOM = 40.0, 26.0, 36.0
_SIZE: Final = (SMALL, _TOP + _HEIGHT + _BOTTOM)
_NUM_BINS: Final = 36


def draw_counts(caption: Caption, counts: Mapping[str, int], x_name: str) -> Drawing:
    """Draw a bar for each name, with its number on top."""
    x, y = Scale(0, max(1, len(counts))), around(list(counts.values()), floor=0.0)
    places = [(i + 0.5, name) for i, name in enumerate(counts)]

    def draw(top: Number) -> str:
        area = _area(x, y, top)
        parts = [area.axes(places, named(y.ticks()), x_name)]
        for (middle, name), count in zip(places, counts.values(), strict=True):
            parts.append(_bar(area, (middle - 0.35, middle + 0.35), count, f"{name}: {count}"))
            parts.append(text((area.x(middle), area.y(count) - 5), number(count), "name", "middle"))
        return "".join(parts)

    return framed(caption, _SIZE, draw)


def draw_histogram(
    caption: Caption, values: Sequence[Number], marks: Sequence[tuple[Number, str]], x_name: str
) -> Drawing:
    """Draw how often values came; the last bar holds everything larger.

    Args:
        caption: around the chart.
        values: not negative.
        marks: values worth a line, and their names; the axis ends a little above the greatest.
        x_name: what the values are.
    """
    high = around([1.3 * max((value for value, _ in marks), default=1.0)], floor=0.0, most=5).high
    counts, step = histogram(values, _NUM_BINS, high), high / _NUM_BINS
    y = around(counts, floor=0.0)

    def draw(top: Number) -> str:
        area = _area(Scale(0, high), y, top)
        parts = [area.axes(named(area.x.ticks(5)), named(y.ticks()), x_name)]
        for i, count in enumerate(counts):
            words = f"{i * step:.0f} to {(i + 1) * step:.0f}: {count}"
            parts.append(_bar(area, (i * step, (i + 0.92) * step), count, words))
        return "".join((*parts, upright(area, marks)))

    return framed(caption, _SIZE, draw)


def upright(area: Area, marks: Sequence[tuple[Number, str]]) -> str:
    """Return a line across the plot for each mark, named above it on the side that has room."""
    parts = []
    for i, (value, name) in enumerate(marks):
        at, top = area.x(value), area.y.end
        is_late = at + 6 + width_of(name) > area.x.end
        is_first = i == 0 and len(marks) > 1 and area.x(marks[1][0]) - at < width_of(name) + 10
        anchor: Anchor = "end" if is_late or is_first else "start"
        parts.append(rule((at, top - 14), (at, area.y.start), "rule"))
        parts.append(text((at + (-5 if anchor == "end" else 5), top - 7), name, "name", anchor))
    return "".join(parts)


def _area(x: Scale, y: Scale, top: Number) -> Area:
    foot = top + _TOP + _HEIGHT
    return Area(x.over(_LEFT, SMALL - 16), y.over(foot, foot - _HEIGHT))


def _bar(area: Area, span: Point, value: Number, words: str) -> str:
    left, right = (area.x(end) for end in span)
    top, height = area.y(value), area.y(0) - area.y(value)
    return element(
        "rect", titled(words), class_="fill ours", x=left, y=top, width=right - left, height=height
    )
