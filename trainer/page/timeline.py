"""A change while traffic runs: every answer a dot, and below it how many came each moment."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trainer.page.bars import upright
from trainer.page.frame import WIDE, Area, Caption, framed, named, widest
from trainer.page.palette import Kind
from trainer.page.scale import Number, Point, Scale, around, number
from trainer.page.svg import Drawing, element, path, text

_DOTS: Final = 170.0
_RATES: Final = 56.0
_HEAD: Final = 42.0
_BETWEEN: Final = 44.0
_FOOT: Final = 36.0
MOMENT_S: Final = 0.25
"""Answers are counted in spans of this length."""


@dataclass(frozen=True)
class Answers:
    """Who answered: when, and after how long.

    Attributes:
        name: of the version that answered.
        kind: its colour.
        points: seconds since the beginning, milliseconds waited.
    """

    name: str
    kind: Kind
    points: Sequence[Point]


def draw_timeline(
    caption: Caption, answers: Sequence[Answers], marks: Sequence[tuple[Number, str]]
) -> Drawing:
    """Draw waits over time, and answers a second below them on the same axis.

    Args:
        caption: around the chart.
        answers: drawn in this order.
        marks: moments worth a line, and their names.
    """
    points = [point for one in answers for point in one.points]
    times = [time for time, _ in points] or [0.0, 1.0]
    rates = _rates(times)
    waits, y = (
        around([wait for _, wait in points], floor=0.0),
        around([r for _, r in rates], floor=0, most=2),
    )
    room = widest([number(tick) for tick in (*waits.ticks(), *y.ticks())]) + 12

    def draw(top: Number) -> str:
        foot = top + _HEAD + _DOTS
        x = Scale(min(times), max(*times, min(times) + MOMENT_S), room, WIDE - 4)
        above = Area(x, waits.over(foot, foot - _DOTS))
        below = Area(x, y.over(foot + _BETWEEN + _RATES, foot + _BETWEEN))
        steps = [
            below(time + d, rate)
            for time, rate in rates
            for d in (0, MOMENT_S)
            if time + d <= x.high
        ]
        ground = [(steps[-1][0], below.y.start), (x.start, below.y.start)]
        return "".join(
            (
                _names(answers, (x.start, top + 10)),
                above.axes([], named(waits.ticks())),
                below.axes(named(x.ticks(8)), named(y.ticks(2)), "seconds"),
                element("path", class_="ours band", d=path([*steps, *ground], is_closed=True)),
                element("path", class_="ours line", d=path(steps)),
                text((x.start, below.y.end - 9), "answers a second", "head"),
                *(_specks(one, above) for one in answers),
                upright(above, marks),
                upright(below, [(at, "") for at, _ in marks]),
            )
        )  # fmt: skip

    return framed(caption, (WIDE, _HEAD + _DOTS + _BETWEEN + _RATES + _FOOT), draw)


def _rates(times: Sequence[Number]) -> list[Point]:
    """Return answers a second, by the beginning of each span; the last one is not over yet."""
    first = min(times)
    counts = Counter(int((time - first) / MOMENT_S) for time in times)
    return [(first + i * MOMENT_S, counts[i] / MOMENT_S) for i in range(max(1, *counts))]


def _names(answers: Sequence[Answers], at: Point) -> str:
    """Return the names in their colours, in a row above the plot."""
    parts, place = [], at[0]
    for one in answers:
        parts.append(element("circle", class_=f"fill {one.kind}", cx=place + 4, cy=at[1] - 4, r=4))
        parts.append(text((place + 13, at[1]), one.name, f"label {one.kind}"))
        place += widest([one.name]) + 34
    return "".join(parts)


def _specks(one: Answers, area: Area) -> str:
    d = "".join(path([area(*point)]) for point in one.points)
    return element("path", class_=f"specks {one.kind}", d=d)
