"""Shaded squares: who is taken for whom, which layer is like which. The deeper, the larger.

Rows are read first, from the top; a square that was not measured is not drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trainer.page.frame import LINE, Area, Caption, framed, widest
from trainer.page.scale import Number, Point, Scale
from trainer.page.svg import Anchor, Drawing, element, text, titled, width_of

_FAINTEST, _DEEPEST = 0.08, 0.7
"""Opacity of the least and of the greatest share; black and white text stay legible on either."""

_GAP: Final = 8.0
_BOLD: Final = 1.2
"""How much wider bold letters are, at most."""


@dataclass(frozen=True)
class Cell:
    """One square.

    Attributes:
        row: counted from the top.
        column: counted from the left.
        share: of the greatest, in [0, 1].
        text: written into it where it has room.
        name: what it says when pointed at.
        is_miss: in the colour of what is wrong.
    """

    row: int
    column: int
    share: Number
    text: str = ""
    name: str = ""
    is_miss: bool = False

    @property
    def opacity(self) -> Number:
        """How deep its colour is; the root keeps small shares apart."""
        return round(_FAINTEST + (_DEEPEST - _FAINTEST) * self.share**0.5, 3)


@dataclass(frozen=True)
class Name:
    """A row's or a column's: shortened, whole, and what stands at a row's end."""

    text: str
    whole: str = ""
    end: str = ""


@dataclass(frozen=True)
class Matrix:
    """One matrix.

    Attributes:
        title: of it among others.
        rows: at least one.
        columns: likewise.
        cells: those that are not empty.
        side: of a square, in pixels.
    """

    rows: Sequence[Name]
    columns: Sequence[Name]
    cells: Sequence[Cell]
    title: str = ""
    side: Number = 24.0

    @property
    def names(self) -> Number:
        """Room for the names of the rows."""
        return widest([row.text for row in self.rows]) + _GAP

    @property
    def is_steep(self) -> bool:
        """Whether the columns' names stand upright."""
        return widest([column.text for column in self.columns]) > self.side - 4

    @property
    def head(self) -> Number:
        """Room for the title and the names of the columns."""
        names = widest([column.text for column in self.columns]) if self.is_steep else LINE
        return names + _GAP + (LINE + 5 if self.title else 0)

    @property
    def tail(self) -> Number:
        """Room for what stands at the rows' ends."""
        return widest([row.end for row in self.rows])


@dataclass(frozen=True)
class Axes:
    """What rows, columns and the rows' ends are."""

    rows: str = ""
    columns: str = ""
    ends: str = ""


def draw_matrices(
    caption: Caption, matrices: Sequence[Matrix], axes: Axes | None = None, columns: int = 2
) -> Drawing:
    """Draw matrices side by side, each shaded on the same scale.

    Args:
        caption: around all of them.
        matrices: at least one, all of one shape.
        axes: named once.
        columns: matrices side by side, at most.
    """
    told = axes or Axes()
    one = matrices[0]
    corner = _BOLD * width_of(f"{told.rows} ↓  {told.columns} →") + _GAP if told.rows else 0.0
    left = max(corner, *(m.names for m in matrices))
    head = max(m.head for m in matrices)
    tail = max(_BOLD * width_of(told.ends), *(m.tail for m in matrices)) + _GAP
    wide = left + one.side * len(one.columns) + tail + 24
    tall = head + one.side * len(one.rows) + 14
    columns = min(columns, len(matrices))
    rows = -(-len(matrices) // columns)

    def draw(top: Number) -> str:
        parts = []
        for i, matrix in enumerate(matrices):
            x, y = i % columns * wide + left, top + i // columns * tall + head
            parts.append(_matrix(matrix, told, (x, y), x - left))
        return "".join(parts)

    width = wide * columns - 20
    return framed(caption, (width, rows * tall), draw)


def _matrix(matrix: Matrix, axes: Axes, corner: Point, start: Number) -> str:
    (left, top), side = corner, matrix.side
    right, foot = left + side * len(matrix.columns), top + side * len(matrix.rows)
    area = Area(Scale(0, len(matrix.columns), left, right), Scale(0, len(matrix.rows), top, foot))
    parts = [element("rect", class_="frame", x=left, y=top, width=right - left, height=foot - top)]
    if matrix.title:
        parts.append(text((start, top - matrix.head + 12), matrix.title, "head"))
    if axes.rows:
        parts.append(
            text((left - _GAP, top - _GAP), f"{axes.rows} ↓  {axes.columns} →", "strong", "end")
        )
    if axes.ends:
        parts.append(text((right + _GAP, top - _GAP), axes.ends, "strong"))
    parts += [_column(matrix, name, area.x(i + 0.5), top) for i, name in enumerate(matrix.columns)]
    for i, name in enumerate(matrix.rows):
        at = area.y(i + 0.5) + 4
        parts += [_name((left - _GAP, at), name, "end"), text((right + _GAP, at), name.end)]
    return "".join((*parts, *(_cell(cell, area, side) for cell in matrix.cells)))


def _column(matrix: Matrix, name: Name, at: Number, top: Number) -> str:
    if not matrix.is_steep:
        return _name((at, top - _GAP + 1), name, "middle")
    turned = _name((0, 0), name, "start")
    return element("g", turned, transform=f"translate({at + 4:.1f} {top - _GAP:.1f}) rotate(-90)")


def _name(at: Point, name: Name, anchor: Anchor) -> str:
    words = text(at, name.text, None, anchor)
    return words.replace(">", f">{titled(name.whole)}", 1) if name.whole else words


def _cell(cell: Cell, area: Area, side: Number) -> str:
    square = element(
        "rect", titled(cell.name), class_="miss" if cell.is_miss else "cell",
        x=area.x(cell.column), y=area.y(cell.row), width=side, height=side,
        fill_opacity=f"{cell.opacity:g}",
    )  # fmt: skip
    has_room = cell.text and width_of(cell.text) + 2 <= side
    at = area(cell.column + 0.5, cell.row + 0.5)
    words = text((at[0], at[1] + 4), cell.text, "name", "middle") if has_room else ""
    return square + words
