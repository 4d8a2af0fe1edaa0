"""Similarities of layers with layers as shaded squares (paper Fig. S4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from trainer.figures.style import INK, house_style, panels_of, save

_PANEL: Final = 3.1
_COLOURS: Final = "cividis"
_MAX_WRITTEN: Final = 8
_LIGHT_FROM: Final = 0.55
_MAX_TICKS: Final = 12


@dataclass(frozen=True)
class MatrixPanel:
    """One matrix with values in [0, 1]; its last row is drawn on top, as layers are counted."""

    title: str
    values: Float[Tensor, "R C"]


def draw_matrices(
    path: Path, panels: Sequence[MatrixPanel], *, x: str, y: str, value: str, columns: int = 3
) -> Path:
    """Write shaded matrices on one common scale from 0 to 1 and return the figure's path.

    Up to 8 rows and columns the numbers are written into the squares.

    Args:
        path: ends in .svg or .png.
        panels: at least one.
        x: what a matrix's columns are.
        y: what its rows are.
        value: what the numbers are.
        columns: panels side by side, at most.

    Raises:
        DataError: there is nothing to draw, or the path ends in something else.
    """
    columns = min(columns, max(1, len(panels)))
    rows = -(-len(panels) // columns)
    with house_style():
        figure = Figure(figsize=(_PANEL * columns + 0.9, _PANEL * rows + 0.6), layout="compressed")
        drawn = panels_of(figure, panels, _draw_panel, columns)
        for i, axes in enumerate(drawn):
            if i % columns == 0:
                axes.set_ylabel(y)
            if i + columns >= len(drawn):
                axes.set_xlabel(x)
        bar = figure.colorbar(drawn[0].images[0], ax=drawn, shrink=0.7, aspect=28, pad=0.02)
        bar.set_label(value)
        bar.outline.set_visible(False)
        return save(figure, path)


def _draw_panel(axes: Axes, panel: MatrixPanel) -> None:
    values = panel.values.detach().double().cpu().numpy()
    axes.imshow(values, cmap=_COLOURS, vmin=0, vmax=1, origin="lower", interpolation="nearest")
    axes.set_title(panel.title)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    for axis, count in ((axes.yaxis, values.shape[0]), (axes.xaxis, values.shape[1])):
        every = range(0, count, -(-count // _MAX_TICKS))
        axis.set_ticks(list(every), [str(place + 1) for place in every])
    if max(values.shape) <= _MAX_WRITTEN:
        for (row, column), number in np.ndenumerate(values):
            colour = INK if number > _LIGHT_FROM else "white"
            axes.text(
                column, row, f"{number:.2f}", ha="center", va="center", color=colour, fontsize=7
            )
