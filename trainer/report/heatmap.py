"""The confusion matrix as a grid of coloured cells: counts in, positions out.

Rows are true classes, columns what the model says; colour is the share of the row. Where classes
are too many for a cell each, neighbours in label order share one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trainer.report.scores import Counts, class_totals

MAX_CELLS: Final = 50
"""Most rows, and most columns."""

_ROOM: Final = 560
_CELL: Final = (14, 46)
_WRITTEN_FROM: Final = 24
_DIGIT: Final = 7
_LETTER: Final = 6.6
_GAP: Final = 14
_CORNER: Final = 130
_RIGHT: Final = 84
_MAX_NAME: Final = 18
_OPACITY: Final = (0.1, 0.7)
"""Of the smallest and the largest share; black and white text stay legible on either."""


@dataclass(frozen=True)
class Cell:
    """One pair of groups; `text` is empty where a number has no room."""

    x: int
    y: int
    is_right: bool
    opacity: float
    text: str
    title: str


@dataclass(frozen=True)
class Label:
    """A group beside its row or column: where, shortened, whole, and a row's `right/total`."""

    at: float
    text: str
    title: str
    score: str


@dataclass(frozen=True)
class Heatmap:
    """All that the template needs; positions are in the figure's own pixels."""

    description: str
    group_size: int
    side: int
    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int
    cells: Sequence[Cell]
    rows: Sequence[Label]
    columns: Sequence[Label]


def draw_heatmap(counts: Counts, names: Sequence[str]) -> Heatmap:
    """Place a row and a column for every class, or for every few of them.

    Args:
        counts: test images by (label, predicted).
        names: of the classes, in label order.
    """
    group_size = -(-len(names) // MAX_CELLS)
    groups = [range(i, min(i + group_size, len(names))) for i in range(0, len(names), group_size)]
    texts, titles = [_short(names, g) for g in groups], [_whole(names, g) for g in groups]
    side = max(_CELL[0], min(_CELL[1], _ROOM // len(groups)))
    names_room = round(_LETTER * max(map(len, texts))) + _GAP
    left, top = max(_CORNER, names_room), names_room + _GAP
    grouped = group_counts(counts, group_size)
    totals = class_totals(grouped)
    scores = [f"{grouped.get((i, i), 0)}/{totals[i]}" for i in range(len(groups))]
    return Heatmap(
        description=f"Confusion matrix of {len(names)} classes, rows true, columns predicted; "
        "the tables below hold its numbers",
        group_size=group_size,
        side=side,
        left=left,
        top=top,
        right=left + side * len(groups),
        bottom=top + side * len(groups),
        width=left + side * len(groups) + _RIGHT,
        height=top + side * len(groups) + 4,
        cells=_cells(grouped, titles, (left, top, side)),
        rows=_labels(texts, titles, scores, (top, side)),
        columns=_labels(texts, titles, [""] * len(groups), (left, side)),
    )


def group_counts(counts: Counts, group_size: int) -> Counter[tuple[int, int]]:
    """Count test images by pairs of groups of `group_size` neighbouring classes."""
    grouped: Counter[tuple[int, int]] = Counter()
    for (label, predicted), count in counts.items():
        grouped[label // group_size, predicted // group_size] += count
    return grouped


def _cells(counts: Counts, titles: Sequence[str], place: tuple[int, int, int]) -> list[Cell]:
    left, top, side = place
    totals = class_totals(counts)
    least, most = _OPACITY
    cells = []
    for (row, column), count in sorted(counts.items()):
        has_room = side >= max(_WRITTEN_FROM, _DIGIT * len(str(count)))
        cells.append(
            Cell(
                x=left + column * side,
                y=top + row * side,
                is_right=row == column,
                opacity=round(least + (most - least) * (count / totals[row]) ** 0.5, 3),
                text=str(count) if has_room else "",
                title=f"{titles[row]} taken for {titles[column]}: {count} of {totals[row]}",
            )
        )
    return cells


def _labels(
    texts: Sequence[str], titles: Sequence[str], scores: Sequence[str], place: tuple[int, int]
) -> list[Label]:
    start, side = place
    return [
        Label(start + (i + 0.5) * side, text, title, score)
        for i, (text, title, score) in enumerate(zip(texts, titles, scores, strict=True))
    ]


def _short(names: Sequence[str], group: range) -> str:
    more = f" +{len(group) - 1}" if len(group) > 1 else ""
    return f"{shorten(names[group[0]], _MAX_NAME - len(more))}{more}"


def _whole(names: Sequence[str], group: range) -> str:
    first, last = (shorten(names[i], 2 * _MAX_NAME) for i in (group[0], group[-1]))
    return first if len(group) == 1 else f"{first} … {last} ({len(group)} classes)"


def shorten(name: str, most: int) -> str:
    """Return a name of at most `most` characters, the last an ellipsis where some are left out."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
