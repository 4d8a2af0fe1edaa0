"""One picture per result: what all of them have in common."""

import json
from pathlib import Path
from textwrap import shorten
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench import plots

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


def draw(saved: Path) -> Path:
    """Draw a saved result as `<name>.png` beside it; return the picture's path.

    Args:
        saved: what `Result.save` wrote, on this machine or another.

    Raises:
        KeyError: nobody knows how to draw this result.
    """
    found = json.loads(saved.read_text())
    path = saved.with_suffix(".png")
    with mpl.rc_context(_STYLE):
        figure = Figure(layout="constrained")
        _PLOTS[found["name"]](figure, found["rows"])
        figure.text(0.005, 0.005, _source(found["conditions"]), size=7, color="#7a7a7a")
        figure.get_layout_engine().set(rect=(0, 0.03, 1, 0.97))
        figure.savefig(path, dpi=150)
    return path


def _source(conditions: dict[str, Any]) -> str:
    processor = f"{shorten(conditions['cpu'], 60)}, {conditions['cores']} cores"
    accelerator = conditions["accelerator"]
    return f"measured on {f'{accelerator}; ' if accelerator else ''}{processor}"
