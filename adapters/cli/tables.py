"""What a command found, as a table for people; warnings go to the standard error."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from adapters.artifact.changes import ClassChanges
from adapters.artifact.codec import VERSION, short
from adapters.artifact.shown import shown
from adapters.store.former_version import Comparison

_WIDTH = 160
"""Of what is not a terminal, in characters."""

_Row = Mapping[str, Any]


def show_rows(rows: Sequence[_Row], empty: str = "") -> None:
    """Print one line for each row, or `empty` if there is none.

    Args:
        rows: name of the column -> value; a column without any value is left out.
        empty: what to say of no rows.
    """
    cells = [{k: text for k, v in row.items() if (text := in_words(v))} for row in rows]
    columns = list(dict.fromkeys(column for row in cells for column in row))
    table = Table(*(Column(escape(name), overflow="fold") for name in columns), box=SIMPLE)
    for row in cells:
        table.add_row(*(escape(row.get(column, "")) for column in columns))
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table if rows else empty)


def show_row(row: _Row) -> None:
    """Print a table of one line."""
    show_rows([row])


def show_fields(row: _Row) -> None:
    """Print one line for each field that has a value."""
    show_rows([{"field": key, "value": text} for key in row if (text := in_words(row[key]))])


def show_published(row: _Row) -> None:
    """Print what `publish` returns, and warn of classes that changed."""
    changes = row["class_changes"]
    parsed = None if changes is None else ClassChanges.model_validate(changes)
    warning = Comparison(row["compared_with"], parsed).warning(row["task"])
    if warning:
        print(warning, file=sys.stderr)
    show_row({k: v for k, v in row.items() if k not in ("compared_with", "class_changes")})


def show_differences(found: Mapping[str, Any]) -> None:
    """Print what `diff` returns, one line for each class or field that differs."""
    changes = ClassChanges.model_validate(found["class_changes"])
    rows = [*_class_rows(changes), *(tuple(one.values()) for one in found["differences"])]
    heads = ("field", short(found["before"]), short(found["after"]))
    is_same = found["before"] == found["after"]
    empty = "it is the same version" if is_same else "nothing differs but the tensors"
    show_rows([dict(zip(heads, row, strict=True)) for row in rows], empty)


def in_words(value: Any) -> str:
    """Return a JSON value as people read it: versions short, lists and objects in plain words."""
    match value:
        case None:
            return ""
        case str():
            return short(value) if VERSION.fullmatch(value) else shown(value)
        case dict():
            return ", ".join(f"{key} {in_words(one)}" for key, one in value.items())
        case list():
            between = "\n" if any(isinstance(one, dict) for one in value) else ", "
            return between.join(in_words(one) for one in value)
    return str(value)


def _class_rows(changes: ClassChanges) -> Iterable[tuple[str, str, str]]:
    yield from (("class removed", name, "") for name in changes.removed)
    yield from (("class added", "", name) for name in changes.added)
    for renamed in changes.renamed:
        yield f"class {renamed.index} renamed", renamed.before, renamed.after
    for moved in changes.moved:
        yield f"class {moved.name} moved", str(moved.before), str(moved.after)
