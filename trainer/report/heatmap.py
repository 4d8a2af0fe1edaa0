"""The confusion matrix: counts in, a drawing out.

Rows are true classes, columns what the model says; colour is the share of the row. Where classes
are too many for a cell each, neighbours in label order share one.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from trainer.page.frame import Caption
from trainer.page.matrix import Axes, Cell, Matrix, Name, draw_matrices
from trainer.page.svg import Drawing
from trainer.page.words import shorten
from trainer.report.scores import Counts, class_totals

MAX_CELLS: Final = 50
"""Most rows, and most columns."""

_ROOM: Final = 560
_CELL: Final = (14, 46)
_MAX_NAME: Final = 18


def group_size(num_classes: int) -> int:
    """Return how many neighbouring classes share a row and a column."""
    return -(-num_classes // MAX_CELLS)


def draw_heatmap(counts: Counts, names: Sequence[str]) -> Drawing:
    """Draw the matrix of all classes.

    Args:
        counts: test images by (label, predicted).
        names: of the classes, in label order.
    """
    matrix = confusion_matrix(counts, names)
    axes = Axes("true", "predicted", "right" if group_size(len(names)) == 1 else "same group")
    words = (
        f"Confusion matrix of {len(names)} classes, rows true, columns predicted; "
        "the tables below hold its numbers"
    )
    return draw_matrices(Caption(description=words), [matrix], axes)


def confusion_matrix(counts: Counts, names: Sequence[str]) -> Matrix:
    """Return a row and a column for every class, or for every few of them."""
    each = group_size(len(names))
    groups = [range(i, min(i + each, len(names))) for i in range(0, len(names), each)]
    grouped = group_counts(counts, each)
    totals = class_totals(grouped)
    columns = [Name(_short(names, group), _whole(names, group)) for group in groups]
    rows = [
        Name(name.text, name.whole, f"{grouped.get((i, i), 0)}/{totals[i]}")
        for i, name in enumerate(columns)
    ]
    side = max(_CELL[0], min(_CELL[1], _ROOM // len(groups)))
    return Matrix(rows, columns, _cells(grouped, columns), side=side)


def group_counts(counts: Counts, size: int) -> Counter[tuple[int, int]]:
    """Count test images by pairs of groups of `size` neighbouring classes."""
    grouped: Counter[tuple[int, int]] = Counter()
    for (label, predicted), count in counts.items():
        grouped[label // size, predicted // size] += count
    return grouped


def _cells(counts: Counts, names: Sequence[Name]) -> list[Cell]:
    totals = class_totals(counts)
    return [
        Cell(
            row,
            column,
            share=count / totals[row],
            text=str(count),
            name=f"{names[row].whole} taken for {names[column].whole}: {count} of {totals[row]}",
            is_miss=row != column,
        )
        for (row, column), count in sorted(counts.items())
    ]


def _short(names: Sequence[str], group: range) -> str:
    more = f" +{len(group) - 1}" if len(group) > 1 else ""
    return f"{shorten(names[group[0]], _MAX_NAME - len(more))}{more}"


def _whole(names: Sequence[str], group: range) -> str:
    first, last = (shorten(names[i], 2 * _MAX_NAME) for i in (group[0], group[-1]))
    return first if len(group) == 1 else f"{first} … {last} ({len(group)} classes)"
