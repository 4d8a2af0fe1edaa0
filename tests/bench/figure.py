"""One picture per result: what all of them have in common."""

import os
from pathlib import Path
from textwrap import shorten

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench import plots
from tests.bench.result import Result, cpu_name

_PLOTS = {
    "engine": plots.engine,
    "tasks": plots.tasks,
    "cold": plots.cold,
    "http": plots.http,
    "decode": plots.decode,
    "training": plots.training,
    "kmeans": plots.kmeans,
}
_STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a8a8a",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "xtick.color": "#4a4a4a",
    "ytick.color": "#4a4a4a",
    "legend.frameon": False,
}


def draw(result: Result, folder: Path) -> Path:
    """Draw `<folder>/<name>.png`; return its path.

    Raises:
        KeyError: nobody knows how to draw this result.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.png"
    with mpl.rc_context(_STYLE):
        figure = Figure(layout="constrained")
        _PLOTS[result.name](figure, result.rows)
        figure.text(0.005, 0.005, _source(), size=7, color="#7a7a7a")
        figure.get_layout_engine().set(rect=(0, 0.03, 1, 0.97))
        figure.savefig(path, dpi=150)
    return path


def _source() -> str:
    cores = len(os.sched_getaffinity(0))
    return f"measured on {shorten(cpu_name(), 60)}, {cores} cores"
