"""Bars of accuracies: the paper's in grey beside ours, or ours alone on other backbones."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from trainer.figures.bars import BarSeries, draw_bars
from trainer.reproduce.document import Picture
from trainer.reproduce.measured import Measured
from trainer.reproduce.pages.backbone_table import GROUPS, MEAN, BackboneTable, heading

_MAX_SERIES: Final = 6
_MAX_COLUMNS: Final = 2
_UNIT: Final = "test accuracy, %"
Place = tuple[str, str]
"""Row and column."""


def pictures_of(part: BackboneTable, folder: Path) -> tuple[Picture, ...]:
    """Draw what can be drawn and return the figures."""
    return tuple(_beside_the_paper(part, folder) if part.is_published else _alone(part, folder))


def _alone(part: BackboneTable, folder: Path) -> Iterator[Picture]:
    """Draw a group of bars per method, a bar per task."""
    rows = list(part.panel.rows)
    tasks = [column for column in part.accuracy_columns if column != MEAN][:_MAX_SERIES]
    series = _shown([_ours(part, task, [(row, task) for row in rows]) for task in tasks])
    if series:
        path = draw_bars(_path(part, folder, "tasks"), rows, series, x=_UNIT)
        yield Picture(path, "Ours; whiskers are one standard deviation over seeds.")


def _beside_the_paper(part: BackboneTable, folder: Path) -> Iterator[Picture]:
    """Draw the means of groups, or a few tasks, method by method; many tasks, task by task.

    Only where ours has something to stand beside the paper.
    """
    rows = list(part.panel.rows)
    ours = [c for c in part.accuracy_columns if any(part.measured(row, c) for row in rows)]
    columns = [column for column in ours if column in GROUPS] or ours
    if not columns:
        return
    if len(columns) <= _MAX_COLUMNS or columns[0] in GROUPS:
        for column in columns:
            yield _pair(part, folder, column, rows, [(row, column) for row in rows])
    else:
        for row in (row for row in rows if any(part.measured(row, c) for c in columns)):
            yield _pair(part, folder, row, columns, [(row, column) for column in columns])


def _pair(
    part: BackboneTable, folder: Path, name: str, groups: Sequence[str], places: Sequence[Place]
) -> Picture:
    texts = [part.printed(*place) for place in places]
    values = [None if text is None else float(text) for text in texts]
    paper = BarSeries("paper", values, is_reference=True)
    series = _shown([paper, _ours(part, "ours", places)])
    path = draw_bars(_path(part, folder, name), groups, series, x=_UNIT)
    return Picture(path, f"{heading(name)}: {' and '.join(one.name for one in series)}.")


def _ours(part: BackboneTable, name: str, places: Sequence[Place]) -> BarSeries:
    found: list[Measured | None] = [part.measured(*place) for place in places]
    means = [None if one is None else one.mean for one in found]
    return BarSeries(name, means, [None if one is None else one.deviation for one in found])


def _shown(series: Sequence[BarSeries]) -> list[BarSeries]:
    return [one for one in series if any(value is not None for value in one.values)]


def _path(part: BackboneTable, folder: Path, name: str) -> Path:
    words = [part.study.name, part.backbone, part.panel.title, name]
    stem = "-".join(re.sub(r"[^\w.]+", "-", word).strip("-") for word in words if word)
    return folder / f"{stem}.svg"
