"""One table of methods by tasks on one backbone: which columns it has, and what stands in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trainer.reproduce.document import Entry
from trainer.reproduce.measured import Measured, accuracy_of, gain_of, millions, parameters_of
from trainer.reproduce.results import Results
from trainer.reproduce.study import Study, tasks_of_group
from trainer.reproduce.variant import Cell

GROUPS: Final = {
    "fgvc": "FGVC, mean",
    "vtab-natural": "natural, mean",
    "vtab-specialized": "specialised, mean",
    "vtab-structured": "structured, mean",
}
"""Columns that are means of a group of tasks, and their headings."""

BASE: Final = "linear"
"""The variant that others are compared with: a linear probe."""

MEAN: Final = "mean"
"""The column that is the mean of all tasks measured on a backbone."""

_PARAMS: Final = "params:"


@dataclass(frozen=True)
class Panel:
    """One of several tables on each backbone.

    Attributes:
        title: as the paper calls it.
        rows: how a row is called here and in the paper's table, and the variant that it shows.
    """

    title: str
    rows: dict[str, str]


@dataclass(frozen=True)
class BackboneTable:
    """One panel on one backbone."""

    study: Study
    results: Results
    backbone: str
    panel: Panel

    @property
    def is_published(self) -> bool:
        """Whether the paper has numbers of this backbone."""
        return self.backbone in self.study.paper.values

    @property
    def measured_tasks(self) -> list[str]:
        """The tasks on which any row was measured."""
        return self.results.tasks(self.backbone, tuple(self.panel.rows.values()))

    @property
    def columns(self) -> tuple[str, ...]:
        """The paper's columns and what was measured next to them; elsewhere all of ours."""
        measured = self.measured_tasks
        if not self.is_published:
            tasks = measured or list(self.study.tasks)
            return (f"{_PARAMS}{MEAN}", *((MEAN,) if len(tasks) > 1 else ()), *tasks)
        printed = self.study.paper.columns
        shown = {task for group in printed for task in _whole_group(group, measured)}
        return (*printed, *(task for task in measured if task not in {*shown, *printed}))

    @property
    def known_rows(self) -> list[str]:
        """The rows of which the paper prints anything, or anything was measured."""
        return [row for row in self.panel.rows if any(self._is_known(row, c) for c in self.columns)]

    @property
    def accuracy_columns(self) -> list[str]:
        """The columns without those that count parameters."""
        return [column for column in self.columns if not column.startswith(_PARAMS)]

    def measured(self, row: str, column: str) -> Measured | None:
        """Return the accuracy of a variant in percent, or None."""
        cells = self._cells(row, column)
        return None if cells is None else accuracy_of(cells)

    def gain(self, row: str, column: str) -> Measured | None:
        """Return by how many points a variant is above the linear probe, seed by seed, or None."""
        cells = self._cells(row, column) or []
        found = [self.results.cell(self.backbone, cell.task, BASE) for cell in cells]
        base = [cell for cell in found if cell is not None]
        return gain_of(cells, base) if base and len(base) == len(cells) else None

    def printed(self, row: str, column: str) -> str | None:
        """Return what the paper prints for the same backbone, row and column."""
        return self.study.paper.text(self.backbone, row, column)

    def entry(self, row: str, column: str) -> Entry:
        """Return both numbers."""
        if column.startswith(_PARAMS):
            cells = self._cells(row, column)
            ours = None if cells is None else millions(parameters_of(cells))
            return Entry(self.printed(row, column), ours)
        measured = self.measured(row, column)
        return Entry(self.printed(row, column), None if measured is None else measured.text())

    def _is_known(self, row: str, column: str) -> bool:
        entry = self.entry(row, column)
        return entry.paper is not None or entry.ours is not None

    def _cells(self, row: str, column: str) -> list[Cell] | None:
        """Return the cells that a column is the mean of, or None if any is missing."""
        variant = self.panel.rows[row]
        found = [self.results.cell(self.backbone, task, variant) for task in self._tasks_of(column)]
        cells = [cell for cell in found if cell is not None]
        return cells if cells and len(cells) == len(found) else None

    def _tasks_of(self, column: str) -> Sequence[str]:
        name = column.removeprefix(_PARAMS)
        if name == MEAN:
            return self.measured_tasks
        return tasks_of_group(name) if name in GROUPS else (name,)


def heading(column: str) -> str:
    """Return how a column is called."""
    if column.startswith(_PARAMS):
        group = column.removeprefix(_PARAMS)
        return "trained, M" if group == MEAN else f"trained, M ({group.upper()})"
    return GROUPS.get(column, column)


def _whole_group(group: str, measured: Sequence[str]) -> tuple[str, ...]:
    """Return a group's tasks if all are measured: then its mean stands for them."""
    tasks = tasks_of_group(group) if group in GROUPS else ()
    return tasks if set(tasks) <= set(measured) else ()
