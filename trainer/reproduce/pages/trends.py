"""Accuracy against a number: a share of the data, a prompt length (Fig. 3a, 3c, 4, S3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from trainer.figures.curves import CurvePanel, Line, draw_curves
from trainer.reproduce.document import Entry, Picture, Section, Table
from trainer.reproduce.measured import Measured, accuracy_of
from trainer.reproduce.published import Published
from trainer.reproduce.results import Results
from trainer.reproduce.study import Study
from trainer.reproduce.variant import Cell

_UNIT: Final = "test accuracy, %"


@dataclass(frozen=True)
class Trend:
    """What is varied.

    Attributes:
        x: its name, with the unit.
        lines: by name, the variant at each place.
        shows_seconds: also tabulate how long the prompts took to construct.
        log_x: space the places by their logarithm.
    """

    x: str
    lines: dict[str, dict[float, str]]
    shows_seconds: bool = False
    log_x: bool = False

    @property
    def places(self) -> list[float]:
        """Where anything is measured, ascending."""
        return sorted({place for line in self.lines.values() for place in line})


def over(trend: Trend) -> Callable[[Study, Results, Path], list[Section]]:
    """Return the layout of a trend: a section per backbone and task."""

    def layout(study: Study, results: Results, folder: Path) -> list[Section]:
        pairs = [
            (backbone, task)
            for backbone in results.backbones(study.variant_names)
            for task in results.tasks(backbone, study.variant_names)
        ]
        sections = []
        for backbone, task in pairs or list(product(study.backbones, study.tasks)):
            picture = folder / f"{study.name}-{backbone}-{task}.svg"
            sections.append(_accuracies(trend, results, (backbone, task), picture))
            if trend.shows_seconds:
                sections.append(_seconds(trend, results, (backbone, task), study.paper))
        return sections

    return layout


def _accuracies(trend: Trend, results: Results, where: tuple[str, str], picture: Path) -> Section:
    found = {
        name: {place: _accuracy(results.cell(*where, variant)) for place, variant in line.items()}
        for name, line in trend.lines.items()
    }
    rows = tuple(
        (name, tuple(_entry(line.get(place)) for place in trend.places))
        for name, line in found.items()
    )
    table = Table(trend.x, tuple(f"{place:g}" for place in trend.places), rows)
    lines = [line for name, values in found.items() if (line := _line(name, values))]
    title = ", ".join(where)
    return Section(title, "Test accuracy in %.", table, _pictures(trend, title, lines, picture))


def _pictures(
    trend: Trend, title: str, lines: Sequence[Line], picture: Path
) -> tuple[Picture, ...]:
    if not lines:
        return ()
    draw_curves(
        picture,
        [CurvePanel(title, lines)],
        x=trend.x,
        y=_UNIT,
        whole_x=False,
        log_x=trend.log_x,
    )
    return (Picture(picture, "Ours; bands are one standard deviation over seeds."),)


def _seconds(trend: Trend, results: Results, where: tuple[str, str], paper: Published) -> Section:
    rows = []
    for name, line in trend.lines.items():
        entries = []
        for place in trend.places:
            cell = results.cell(*where, line[place]) if place in line else None
            printed = paper.text(where[0], name, f"{place:g}%") if where[1] == "cub200" else None
            entries.append(Entry(printed, None if cell is None else _spent(cell)))
        rows.append((name, tuple(entries)))
    table = Table(trend.x, tuple(f"{place:g}" for place in trend.places), tuple(rows))
    text = f"Time of constructing the prompts; the paper's from {paper.source}."
    return Section(f"{', '.join(where)}: time", text, table)


def _spent(cell: Cell) -> str:
    return f"{cell.init['seconds']:.1f}s"


def _accuracy(cell: Cell | None) -> Measured | None:
    return None if cell is None else accuracy_of([cell])


def _entry(measured: Measured | None) -> Entry:
    return Entry(None, None if measured is None else measured.text())


def _line(name: str, values: dict[float, Measured | None]) -> Line | None:
    there = {place: one for place, one in sorted(values.items()) if one is not None}
    if not there:
        return None
    deviations = [one.deviation for one in there.values() if one.deviation is not None]
    whole = deviations if len(deviations) == len(there) else None
    return Line(name, list(there), [one.mean for one in there.values()], whole)
