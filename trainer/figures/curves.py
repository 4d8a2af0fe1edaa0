"""Lines with the spread over seeds, named where they end (paper Fig. 2, 3 and 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from trainer.errors import DataError
from trainer.figures.style import MUTED, PALETTE, house_style, panels_of, save

_PANEL: Final = (3.6, 2.7)
_MAX_NAMED: Final = len(PALETTE)
_NAME_HEIGHT: Final = 0.075
_MAX_DOTS: Final = 12
_STEPS: Final = (1, 2, 5, 10)


@dataclass(frozen=True)
class Line:
    """One line: a mean per place, and how far it varies (one standard deviation) if known."""

    name: str
    x: Sequence[int] | Sequence[float]
    mean: Sequence[float]
    deviation: Sequence[float] | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.x), len(self.mean), len(self.deviation or self.mean)}
        if len(lengths) > 1 or 0 in lengths:
            raise DataError(
                f"line {self.name!r}: expected as many values as places and at least one, found "
                f"{len(self.x)} places, {len(self.mean)} means, "
                f"{len(self.deviation or ())} deviations"
            )


@dataclass(frozen=True)
class CurvePanel:
    """Lines that share axes; the same place in every panel has the same colour."""

    title: str
    lines: Sequence[Line]


def draw_curves(  # noqa: PLR0913
    path: Path,
    panels: Sequence[CurvePanel],
    *,
    x: str,
    y: str,
    columns: int = 2,
    whole_x: bool = True,
    log_x: bool = False,
) -> Path:
    """Write a figure of lines and return its path.

    Up to six lines of a panel are named at their ends, more of them in a legend beside it.

    Args:
        path: ends in .svg or .png.
        panels: at least one.
        x: what the places are, with their unit.
        y: what the values are, likewise.
        columns: panels side by side, at most.
        whole_x: mark whole numbers only, as for epochs and layers.
        log_x: space the places by their logarithm and mark those there are.

    Raises:
        DataError: there is nothing to draw, or the path ends in something else.
    """
    columns = min(columns, max(1, len(panels)))
    rows = -(-len(panels) // columns)

    def draw(axes: Axes, panel: CurvePanel) -> None:
        _draw_panel(axes, panel)
        _place_ticks(axes, panel, whole_x=whole_x, log_x=log_x)

    with house_style():
        figure = Figure(figsize=(_PANEL[0] * columns + 0.3, _PANEL[1] * rows + 0.2))
        drawn = panels_of(figure, panels, draw, columns)
        for i, axes in enumerate(drawn):
            if i % columns == 0:
                axes.set_ylabel(y)
            if i + columns >= len(drawn):
                axes.set_xlabel(x)
        return save(figure, path)


def _draw_panel(axes: Axes, panel: CurvePanel) -> None:
    axes.set_title(panel.title)
    axes.grid(axis="y")
    for i, line in enumerate(panel.lines):
        colour = PALETTE[i % len(PALETTE)]
        style = "-" if i < len(PALETTE) else "--"
        marker = "o" if len(line.x) <= _MAX_DOTS else ""
        axes.plot(line.x, line.mean, style, color=colour, marker=marker, ms=4, label=line.name)
        if line.deviation is not None:
            low, high = (
                [m + sign * d for m, d in zip(line.mean, line.deviation, strict=True)]
                for sign in (-1, 1)
            )
            axes.fill_between(line.x, low, high, color=colour, alpha=0.16, linewidth=0)
    if len(panel.lines) > _MAX_NAMED:
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    elif len(panel.lines) > 1:
        _name_ends(axes, panel.lines)


def _name_ends(axes: Axes, lines: Sequence[Line]) -> None:
    """Write each name beside its line's end, moved apart where two ends are close."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    ends = [(line.mean[-1] - low) / (high - low) for line in lines]
    for i, height in enumerate(_spread(ends)):
        axes.annotate(
            lines[i].name,
            (1.02, height),
            xycoords="axes fraction",
            va="center",
            color=PALETTE[i],
            fontsize=8.5,
        )


def _spread(heights: Sequence[float]) -> list[float]:
    """Move heights in [0, 1] apart by at least one name's height, in their order."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = [heights[i] for i in order]
    for k in range(1, len(placed)):
        placed[k] = max(placed[k], placed[k - 1] + _NAME_HEIGHT)
    placed[-1] = min(placed[-1], 1.0)
    for k in range(len(placed) - 2, -1, -1):
        placed[k] = min(placed[k], placed[k + 1] - _NAME_HEIGHT)
    result = [0.0] * len(heights)
    for i, height in zip(order, placed, strict=True):
        result[i] = height
    return result


def _place_ticks(axes: Axes, panel: CurvePanel, *, whole_x: bool, log_x: bool) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    axes.tick_params(colors=MUTED, length=3)
    if log_x:
        places = sorted({place for line in panel.lines for place in line.x})
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(places, [f"{place:g}" for place in places])
    elif whole_x:
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=_STEPS, integer=True))
