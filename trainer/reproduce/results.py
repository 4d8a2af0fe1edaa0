"""All that has been measured into a folder, by anyone and at any time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.reproduce.measure import CELL, read_cell
from trainer.reproduce.variant import Cell

Key = tuple[str, str, str]
"""Backbone, task, variant."""


@dataclass(frozen=True)
class Results:
    """The cells of a study's folder.

    Attributes:
        folder: holds `<backbone>/<task>/<variant>/`, and records of what was measured elsewhere.
        cells: what was measured.
        recipes: the recipe of each before anything was chosen.
        commands: what measured each backbone that has a record.
    """

    folder: Path
    cells: dict[Key, Cell] = field(default_factory=dict)
    recipes: dict[Key, dict[str, Any]] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)

    def cell(self, backbone: str, task: str, variant: str) -> Cell | None:
        """Return what a variant reached, or None."""
        return self.cells.get((backbone, task, variant))

    def tasks(self, backbone: str, variants: Sequence[str]) -> list[str]:
        """Return the tasks on which any variant was measured, in order of their names."""
        return sorted({t for b, t, a in self.cells if b == backbone and a in variants})

    def backbones(self, variants: Sequence[str]) -> list[str]:
        """Return the backbones on which any variant was measured, in order of their names."""
        return sorted({b for b, _, a in self.cells if a in variants})


def read_results(folder: Path) -> Results:
    """Read every finished cell below a folder, and the records that lie in it.

    Raises:
        ResumeError: a cell is damaged.
    """
    results = Results(folder)
    for path in sorted(folder.glob("*.json")):
        _add_record(results, json.loads(path.read_bytes()))
    for path in sorted(folder.glob(f"*/*/*/{CELL}")):
        document = read_cell(path)
        backbone, task, variant = path.relative_to(folder).parts[:3]
        results.cells[backbone, task, variant] = Cell(**document["cell"])
        results.recipes[backbone, task, variant] = document["asked"]["recipe"]
    return results


def _add_record(results: Results, record: dict[str, Any]) -> None:
    """Add what `write_record` wrote."""
    results.commands[record["backbone"]] = record["command"]
    for entry in record["cells"]:
        cell = Cell(**entry["cell"])
        key = record["backbone"], cell.task, cell.variant
        results.cells[key], results.recipes[key] = cell, entry["recipe"]
