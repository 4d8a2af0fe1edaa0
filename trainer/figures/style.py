"""One look for every figure, and files whose bytes depend on the numbers alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.errors import DataError

Panel = TypeVar("Panel")

INK: Final = "#222222"
MUTED: Final = "#6b6b6b"
FAINT: Final = "#dddddd"
PALETTE: Final = ("#0072b2", "#d55e00", "#009e73", "#b5609a", "#8c6d1f", "#4aa3d8")
"""After Okabe and Ito (2008): distinct for colour-blind readers, dark enough for lines."""

REFERENCE: Final = "#b3b3b3"
"""What others published, beside what was measured here."""

_FORMATS: Final = (".svg", ".png")
_STYLE: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.dpi": 160,
    "svg.hashsalt": "spt-serving",
    "svg.fonttype": "path",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style, whatever the machine's own matplotlib settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        settings: Any = mpl.rcParams
        settings.update(_STYLE)
        yield


def save(figure: Figure, path: Path) -> Path:
    """Write a figure without date or version, so that equal numbers give equal bytes.

    Raises:
        DataError: the path ends neither in .svg nor in .png.
    """
    if path.suffix not in _FORMATS:
        raise DataError(f"{path}: expected a picture's name to end in {' or '.join(_FORMATS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    absent = {"Date": None, "Creator": None} if path.suffix == ".svg" else {"Software": None}
    figure.savefig(path, metadata=absent)
    return path


def panels_of(
    figure: Figure,
    panels: Sequence[Panel],
    draw: Callable[[Axes, Panel], None],
    columns: int,
) -> list[Axes]:
    """Draw each panel into its own axes, row by row, and return the axes."""
    if not panels:
        raise DataError("figure: expected at least one panel, found none")
    rows = -(-len(panels) // columns)
    grid = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for axes, panel in zip(grid, panels, strict=False):
        draw(axes, panel)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    return grid[: len(panels)]
