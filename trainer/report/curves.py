"""What was measured in each epoch, a chart for each of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from trainer.page import words
from trainer.page.frame import SMALL, Caption
from trainer.page.lines import Line, LineChart, Panel, draw_lines
from trainer.page.scale import around
from trainer.page.svg import Drawing
from trainer.report.record import RunMetrics

_FAINTEST: Final = 0.3
_HEIGHT: Final = 130.0
_OFFICIAL_PRACTICE: Final = (
    "The test set was scored after each epoch on request, as the official code does. "
    "That code reports the best of these; here they select nothing."
)


@dataclass(frozen=True)
class Series:
    """What to draw: a name, one value per epoch for each line, and what a reader must know."""

    name: str
    lines: Sequence[Sequence[float]]
    write: Callable[[float], str]
    line_names: Sequence[str] = ("",)
    floor: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Curve:
    """A chart and the words around it."""

    name: str
    drawing: Drawing
    note: str


def curves_of(metrics: RunMetrics, score: str = "score") -> list[Curve]:
    """Return a chart of everything that was measured in each epoch.

    Args:
        metrics: what was measured.
        score: the name of `val_scores`.
    """
    blocks = list(zip(*metrics.nmi, strict=False))
    scored = (
        Series("training loss", [metrics.losses], words.brief, floor=0.0),
        Series("validation accuracy", [metrics.val_accuracies], words.level),
        Series(f"validation {score}", [metrics.val_scores], words.brief),
        Series(
            "test accuracy of each epoch", [metrics.test_accuracies], words.level,
            note=_OFFICIAL_PRACTICE,
        ),
    )  # fmt: skip
    others = (
        Series("learning rate", [metrics.learning_rates], words.brief, floor=0.0),
        Series(
            "NMI of prompts and patches", blocks, words.brief,
            line_names=[f"block {i}" for i in range(1, len(blocks) + 1)],
            note="A line per block: the first is pale, the last strong.",
        ),
    )  # fmt: skip
    drawn = [draw_curve(series, metrics.selected_epoch) for series in scored]
    drawn += [draw_curve(series) for series in others]
    return [curve for curve in drawn if curve is not None]


def draw_curve(series: Series, kept: int | None = None) -> Curve | None:
    """Draw every line of a series; the first is the faintest, the last the strongest.

    Args:
        series: its values are of the epochs 1, 2, …; those that are not finite are left out. Its
            `floor` is where the vertical axis begins; None fits it to the values.
        kept: the epoch to mark on the last line, from 1.

    Returns:
        The chart, or None where there is nothing to draw.
    """
    seen = [value for line in series.lines for value in line if math.isfinite(value)]
    if not seen:
        return None
    mark = _value_at(series.lines[-1], kept)
    lines = [
        Line(
            "", list(enumerate(values, start=1)), opacity=_opacity(i, len(series.lines)), title=name
        )
        for i, (name, values) in enumerate(zip(series.line_names, series.lines, strict=True))
    ]
    panel = Panel(lines, mark=None if kept is None or mark is None else (kept, mark))
    chart = LineChart(
        Caption(description=_describe(series)),
        [panel],
        "epoch",
        series.write,
        y=around(seen, floor=series.floor),
        size=(SMALL, _HEIGHT),
    )
    told = [] if mark is None else [f"○ kept: epoch {kept}, {series.write(mark)}"]
    return Curve(series.name, draw_lines(chart), ". ".join([*told, *filter(None, [series.note])]))


def _value_at(line: Sequence[float], epoch: int | None) -> float | None:
    if epoch is None or not 1 <= epoch <= len(line):
        return None
    return line[epoch - 1] if math.isfinite(line[epoch - 1]) else None


def _describe(series: Series) -> str:
    parts = []
    for name, line in zip(series.line_names, series.lines, strict=True):
        if finite := [value for value in line if math.isfinite(value)]:
            ends = f"from {series.write(finite[0])} to {series.write(finite[-1])}"
            parts.append(f"{name} {ends}".strip())
    return f"{series.name} by epoch: {'; '.join(parts)}"


def _opacity(index: int, num_lines: int) -> float:
    share = index / (num_lines - 1) if num_lines > 1 else 1.0
    return round(_FAINTEST + (1 - _FAINTEST) * share, 2)
