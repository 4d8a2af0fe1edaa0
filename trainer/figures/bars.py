"""What was measured beside what the paper says, group by group (Tables 1 to 4, S2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.errors import DataError
from trainer.figures.style import (
    FAINT,
    INK,
    MUTED,
    PALETTE,
    REFERENCE,
    house_style,
    save,
)

_WIDTH: Final = 7.0
_BAR: Final = 0.19
_GAP: Final = 0.16
"""Thickness of a bar and distance between groups, in inches."""


@dataclass(frozen=True)
class BarSeries:
    """One value per group; None where there is none.

    Attributes:
        name: as in the legend.
        values: in the unit of the axis, not negative.
        deviations: one standard deviation each, or None throughout or for some.
        is_reference: published elsewhere: drawn in grey.
    """

    name: str
    values: Sequence[float | None]
    deviations: Sequence[float | None] | None = None
    is_reference: bool = False


def draw_bars(
    path: Path,
    groups: Sequence[str],
    series: Sequence[BarSeries],
    *,
    x: str,
    title: str = "",
    digits: int = 1,
) -> Path:
    """Write horizontal bars, a group of them per name, and return the figure's path.

    Args:
        path: ends in .svg or .png.
        groups: names, first on top.
        series: at least one; each has a value per group.
        x: what the values are, with their unit.
        title: of the figure.
        digits: of the written values, after the point.

    Raises:
        DataError: there is nothing to draw, a series has another number of values than there are
            groups, or the path ends in something else.
    """
    _check(groups, series)
    group_height = len(series) * _BAR + _GAP
    with house_style():
        figure = Figure(figsize=(_WIDTH, len(groups) * group_height + 1.0))
        axes = figure.subplots()
        _draw_groups(axes, groups, series, digits)
        axes.set(title=title, xlabel=x)
        if len(series) > 1:
            figure.legend(
                *axes.get_legend_handles_labels(),
                loc="outside upper right",
                ncols=len(series),
                frameon=False,
                fontsize=8.5,
            )
        return save(figure, path)


def _check(groups: Sequence[str], series: Sequence[BarSeries]) -> None:
    if not groups or not series:
        raise DataError("bars: expected at least one group and one series, found none")
    for one in series:
        found = {len(one.values), len(one.deviations or one.values)}
        if found != {len(groups)}:
            raise DataError(
                f"bars of {one.name!r}: expected {len(groups)} values, one per group, "
                f"found {len(one.values)} values and {len(one.deviations or ())} deviations"
            )


def _draw_groups(
    axes: Axes, groups: Sequence[str], series: Sequence[BarSeries], digits: int
) -> None:
    step = _BAR / (len(series) * _BAR + _GAP)
    colours = iter(PALETTE)
    for i, one in enumerate(series):
        colour = REFERENCE if one.is_reference else next(colours)
        centres = [k + (i - (len(series) - 1) / 2) * step for k in range(len(groups))]
        lengths = [0.0 if value is None else value for value in one.values]
        axes.barh(centres, lengths, height=step * 0.86, color=colour, label=one.name)
        deviations = one.deviations or [None] * len(groups)
        for k, centre in enumerate(centres):
            _write_value(axes, centre, one.values[k], deviations[k], digits)
    axes.set_yticks(range(len(groups)), groups, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.margins(y=0.02)
    axes.set_axisbelow(True)
    axes.grid(axis="x")
    axes.spines["left"].set_color(FAINT)
    axes.margins(x=0.1)


def _write_value(
    axes: Axes, centre: float, value: float | None, deviation: float | None, digits: int
) -> None:
    text, at = "none", 0.0
    if value is not None:
        text, at = f"{value:.{digits}f}", value
    if deviation is not None:
        text, at = f"{text} ± {deviation:.{digits}f}", at + deviation
        axes.errorbar(at - deviation, centre, xerr=deviation, color=INK, elinewidth=0.9, capsize=0)
    axes.annotate(
        text,
        (at, centre),
        (4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color=MUTED,
    )
