"""What a command found: rows that are printed as they come, as JSON or as lines for people."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from textwrap import indent
from typing import Any

from adapters.artifact.codec import VERSION, short
from adapters.shown import shown
from adapters.store.audit import Finding

_LOOK_AHEAD = 100
"""How many rows decide how wide the columns of a stream are."""

_SAID = ("damage", "note")

Row = dict[str, Any]


def show_stream(rows: Iterable[Row], is_json: bool, empty: str) -> int:
    """Print rows as they come, a line each, and return the exit code: 1 if any is damaged.

    Args:
        rows: name of the column -> value; a column without any value is left out.
        is_json: whether programs read it.
        empty: what to say of no rows.
    """
    seen = _Seen(rows)
    if is_json:
        _stream_json(seen)
    else:
        _stream_lines(seen, empty)
    return 1 if seen.is_damaged else 0


class _Seen:
    """Rows on their way, and whether one of them was damaged."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.is_damaged = False
        self._rows = iter(rows)

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.is_damaged = self.is_damaged or bool(row.get("damage"))
            yield row


def _stream_json(rows: Iterable[Row]) -> None:
    before = "[\n"
    for row in rows:
        print(before + indent(json.dumps(row, indent=1), " "), end="")
        before = ",\n"
    print("[]" if before == "[\n" else "\n]")


def _stream_lines(rows: Iterable[Row], empty: str) -> None:
    """Print lines whose columns are as wide as the first ones need; what is wider sticks out."""
    lines = ({k: text for k, v in row.items() if (text := in_words(v))} for row in rows)
    first = list(islice(lines, _LOOK_AHEAD))
    if not first:
        print(empty)
        return
    columns = list(dict.fromkeys(column for line in first for column in line))
    columns.sort(key=_SAID.__contains__)  # long sentences at the end
    widths = {
        name: max(len(line.get(name, "")) for line in [*first, {name: name}]) for name in columns
    }
    for line in chain([{name: name for name in columns}], first, lines):
        known = [line.pop(name, "").ljust(width) for name, width in widths.items()]
        others = [f"{name}: {text}" for name, text in line.items()]
        print("  ".join([*known, *others]).rstrip())


def finding_row(finding: Finding) -> Row:
    """Return what is known of one version, or of a task's folder."""
    row: Row = {"task": finding.task, "version": finding.version}
    if finding.meta is not None:
        accuracy = finding.meta.metrics.get("test_accuracy")
        row |= {
            "classes": len(finding.meta.task.class_names),
            "method": finding.meta.method,
            "backbone": finding.meta.backbone.name,
            "bytes": finding.num_bytes,
            "target": None if finding.meta.target is None else finding.meta.target.kind,
            "test_accuracy": None if accuracy is None else round(accuracy, 4),
        }
    said = {"damage": finding.damage, "note": finding.note}
    return row | {key: text for key, text in said.items() if text}


def utc(time: datetime) -> str:
    """Return a time as the store writes it."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def in_words(value: Any) -> str:
    """Return a JSON value as people read it: versions short, lists and objects in plain words."""
    match value:
        case None:
            return ""
        case str():
            return short(value) if VERSION.fullmatch(value) else shown(value)
        case dict():
            return ", ".join(f"{shown(key)} {in_words(one)}" for key, one in value.items())
        case list():
            between = "\n" if any(isinstance(one, dict) for one in value) else ", "
            return between.join(in_words(one) for one in value)
    return str(value)
