"""What a study's page consists of, before it is Markdown or HTML."""

from dataclasses import dataclass
from typing import Final

from trainer.page.svg import Drawing

DASH: Final = "—"
"""Stands where nothing was measured, or nothing published."""


@dataclass(frozen=True)
class Entry:
    """One cell of a table: the paper's number and ours, as they are written."""

    paper: str | None = None
    ours: str | None = None


@dataclass(frozen=True)
class Table:
    """Numbers side by side.

    Attributes:
        corner: what the rows are.
        columns: headings.
        rows: name and one entry per column.
    """

    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Entry, ...]], ...]


@dataclass(frozen=True)
class Picture:
    """A drawing, and the name of its file next to the page."""

    name: str
    drawing: Drawing
    caption: str


@dataclass(frozen=True)
class Section:
    """A table and its figures, all of one backbone unless the title says otherwise."""

    title: str
    text: str
    table: Table | None
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Page:
    """Everything that is shown of a study.

    Attributes:
        title: what is studied.
        source: the paper's table or figure; empty for our own comparison.
        command: what measures and renders it.
        is_smoke: nothing here was trained to any purpose.
        claims: what the paper says of it, and what a reader must know to compare.
        conditions: how ours was measured.
        sections: in the order they are shown.
    """

    title: str
    source: str
    command: str
    is_smoke: bool
    claims: tuple[str, ...]
    conditions: tuple[str, ...]
    sections: tuple[Section, ...]
