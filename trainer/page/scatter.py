"""Pairs of values as specks on one scale both ways: what is right lies on the diagonal."""

from collections.abc import Sequence
from typing import Final

from trainer.page.frame import LINE, SMALL, Area, Caption, framed, named, widest
from trainer.page.scale import Number, Point, around
from trainer.page.svg import Drawing, element, path, rule, text

_FOOT: Final = 2 * LINE + 6
_GAP: Final = 12.0


def draw_scatter(caption: Caption, pairs: Sequence[Point], x_name: str, y_name: str) -> Drawing:
    """Draw pairs over their diagonal.

    Args:
        caption: around the chart.
        pairs: finite, at least one.
        x_name: of what goes to the right.
        y_name: of what goes upwards.
    """
    scale = around([value for pair in pairs for value in pair])
    ticks = named(scale.ticks())
    left = widest([words for _, words in ticks]) + _GAP
    side = SMALL - left - _GAP

    def draw(top: Number) -> str:
        head = top + LINE + 4
        area = Area(scale.over(left, left + side), scale.over(head + side, head))
        specks = "".join(path([area(*pair)]) for pair in pairs)
        return "".join(
            (
                text((0, top + LINE - 4), y_name),
                area.axes(ticks, ticks, x_name),
                rule(area(scale.low, scale.low), area(scale.high, scale.high), "rule"),
                element("path", class_="specks ours", d=specks),
            )
        )

    return framed(caption, (SMALL, LINE + 4 + side + _FOOT), draw)
