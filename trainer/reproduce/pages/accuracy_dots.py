"""Dots of accuracies: ours next to the paper's, or what each method gains over a linear probe."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import Scale, around
from trainer.page.words import signed
from trainer.reproduce.document import Picture
from trainer.reproduce.measured import Measured
from trainer.reproduce.pages.backbone_table import BASE, GROUPS, MEAN, BackboneTable, heading
from trainer.reproduce.pages.names import is_ours, kind_of, plain_name

_MAX_COLUMNS: Final = 5
_FEW: Final = 2
Gains = dict[str, dict[str, Measured]]
"""By row and column, only what was measured."""


def pictures_of(part: BackboneTable) -> tuple[Picture, ...]:
    """Draw what can be drawn and return the pictures."""
    return tuple(_next_to_the_paper(part) if part.is_published else _gains(part))


def _gains(part: BackboneTable) -> Iterator[Picture]:
    """Draw a row per method and a column per task: points over the linear probe."""
    found: Gains = {}
    for row in part.panel.rows:
        gains = {column: part.gain(row, column) for column in part.accuracy_columns}
        there = {column: gain for column, gain in gains.items() if gain is not None}
        if there and part.panel.rows[row] != BASE:
            found[row] = there
    columns = [c for c in part.accuracy_columns if any(c in gains for gains in found.values())]
    if not columns:
        return
    shown = columns[:_MAX_COLUMNS]
    rows = [
        Row(_name(row), [_gain(found[row].get(c), row) for c in shown], not is_ours(row))
        for row in sorted(found, key=lambda row: _place(found[row], shown[0]))
    ]
    caption = Caption(
        f"{_place_of(part)}: {_finding(found, shown[0])}",
        "points of test accuracy over a linear probe; whiskers are one deviation over seeds",
        [f"Columns share one scale; {_seeds(found)}."],
    )
    headings = [heading(column) for column in shown]
    drawing = draw_dots(DotChart(caption, rows, _scale(rows), headings, (0.0, "linear probe")))
    yield Picture(_file(part, "tasks"), drawing, "Ours, as differences to the linear probe.")


def _place(gains: dict[str, Measured], column: str) -> float:
    """Return what rows are sorted by: the greatest gain first, what has none last."""
    return -gains[column].mean if column in gains else float("inf")


def _place_of(part: BackboneTable) -> str:
    return ", ".join(filter(None, (part.backbone, part.panel.title)))


def _name(row: str) -> str:
    """Return a method's name; that its prompts are frozen is said by the title of its part."""
    return plain_name(row).removesuffix(", frozen")


def _finding(found: Gains, column: str) -> str:
    """Say by how much each method moves the accuracy, from the first column."""
    gains = {row: gains[column].mean for row, gains in found.items() if column in gains}
    ours = [gain for row, gain in gains.items() if is_ours(row)]
    rivals = {row: gain for row, gain in gains.items() if not is_ours(row)}
    told = [f"{_name(row)} by {signed(gain)}" for row, gain in rivals.items()]
    if ours:
        span = dict.fromkeys((signed(min(ours)), signed(max(ours))))
        told.insert(0, f"SPT by {' to '.join(span)}")
    where = "on average" if column == MEAN else f"on {column}"
    return f"points over a linear probe {where}, {', '.join(told)}"


def _gain(gain: Measured | None, row: str) -> list[Dot]:
    if gain is None:
        return []
    return [Dot(gain.mean, gain.spread, kind_of(row), signed(gain.mean), gain.text())]


def _seeds(found: Gains) -> str:
    counts = sorted({gain.count for gains in found.values() for gain in gains.values()})
    return f"{' or '.join(map(str, counts))} seed{'s' if counts != [1] else ''} each, seed by seed"


def _next_to_the_paper(part: BackboneTable) -> Iterator[Picture]:
    """Draw the means of groups, or a few tasks, method by method; many tasks, task by task.

    Only where ours has something to compare with the paper.
    """
    rows = list(part.panel.rows)
    ours = [c for c in part.accuracy_columns if any(part.measured(row, c) for row in rows)]
    columns = [column for column in ours if column in GROUPS] or ours
    if not columns:
        return
    if len(columns) <= _FEW or columns[0] in GROUPS:
        cells = {plain_name(row): [_both(part, row, c) for c in columns] for row in rows}
        yield _pairs(part, "paper", cells, [heading(column) for column in columns])
        return
    for row in (row for row in rows if any(part.measured(row, c) for c in columns)):
        cells = {heading(column): [_both(part, row, column)] for column in columns}
        yield _pairs(part, row, cells, [plain_name(row)])


def _both(part: BackboneTable, row: str, column: str) -> list[Dot]:
    """Return the paper's dot in grey and ours in colour; the last one has the numbers of both."""
    text, measured = part.printed(row, column), part.measured(row, column)
    paper = [] if text is None else [Dot(float(text), None, "reference", "", f"paper {text}")]
    if measured is None:
        return [Dot(dot.value, None, dot.kind, f"{text} / —", dot.name) for dot in paper]
    words = f"{text or '—'} / {measured.mean:.1f}"
    return [*paper, Dot(measured.mean, measured.spread, "ours", words, f"ours {measured.text()}")]


def _pairs(
    part: BackboneTable, name: str, cells: dict[str, list[list[Dot]]], columns: Sequence[str]
) -> Picture:
    rows = [Row(row, dots) for row, dots in cells.items() if any(dots)]
    pairs = [dots for row in rows for dots in row.cells if len(dots) > 1]
    apart = [ours.value - paper.value for paper, ours in pairs]
    title = "Ours, of which the paper prints nothing"
    if apart:
        span = dict.fromkeys((signed(min(apart)), signed(max(apart))))
        title = f"Ours is {' to '.join(span)} points from the paper's"
    caption = Caption(
        f"{_place_of(part)}: {title}", "test accuracy in %: the paper's in grey / ours"
    )
    drawing = draw_dots(DotChart(caption, rows, _scale(rows), columns))
    return Picture(_file(part, name), drawing, f"{heading(name)}: paper and ours.")


def _scale(rows: Sequence[Row]) -> Scale:
    return around(
        [end for row in rows for dots in row.cells for dot in dots for end in dot.ends], most=8
    )


def _file(part: BackboneTable, name: str) -> str:
    words = [part.study.name, part.backbone, part.panel.title, name]
    return "-".join(re.sub(r"[^\w.]+", "-", word).strip("-") for word in words if word) + ".svg"
