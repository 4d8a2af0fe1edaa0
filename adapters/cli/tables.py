"""What a command found, as a table for people, or as JSON for programs."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from adapters.artifact.changes import ClassChanges
from adapters.artifact.codec import short
from adapters.cli.rows import Row, in_words

_WIDTH = 160
"""Of what is not a terminal, in characters."""

Found = TypeVar("Found", Row, list[Row])


def show(found: Found, is_json: bool, table: Callable[[Found], None]) -> int:
    """Print what was found and return the exit code: 1 if any of it is damaged."""
    print(json.dumps(found, indent=1)) if is_json else table(found)
    rows = found if isinstance(found, list) else [found]
    return 1 if any(row.get("damage") for row in rows) else 0


def show_rows(rows: Sequence[Mapping[str, Any]], empty: str = "") -> None:
    """Print one line for each row, or `empty` if there is none.

    Args:
        rows: name of the column -> value; a column without any value is left out.
        empty: what to say of no rows.
    """
    _show_cells([{k: text for k, v in row.items() if (text := in_words(v))} for row in rows], empty)


def show_row(row: Row) -> None:
    """Print a table of one line."""
    show_rows([row])


def show_fields(row: Row) -> None:
    """Print one line for each field that has a value."""
    fields = ((in_words(key), in_words(value)) for key, value in row.items())
    _show_cells([{"field": key, "value": text} for key, text in fields if text])


def show_differences(found: Row) -> None:
    """Print what `diff` returns, one line for each class or field that differs."""
    changes = ClassChanges.model_validate(found["class_changes"])
    rows = [*_class_rows(changes), *(tuple(one.values()) for one in found["differences"])]
    heads = ("field", short(found["before"]), short(found["after"]))
    is_same = found["before"] == found["after"]
    empty = "it is the same version" if is_same else "nothing differs but the tensors"
    show_rows([dict(zip(heads, row, strict=True)) for row in rows], empty)


def _show_cells(cells: Sequence[Mapping[str, str]], empty: str = "") -> None:
    """Print a table of what is in words already, whose line breaks are ours."""
    columns = list(dict.fromkeys(column for row in cells for column in row))
    table = Table(*(Column(escape(name), overflow="fold") for name in columns), box=SIMPLE)
    for row in cells:
        table.add_row(*(escape(row.get(column, "")) for column in columns))
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table if cells else empty)


def _class_rows(changes: ClassChanges) -> Iterable[tuple[str, str, str]]:
    yield from (("class removed", name, "") for name in changes.removed)
    yield from (("class added", "", name) for name in changes.added)
    for renamed in changes.renamed:
        yield f"class {renamed.index} renamed", renamed.before, renamed.after
    for moved in changes.moved:
        yield f"class {moved.name} moved", str(moved.before), str(moved.after)
