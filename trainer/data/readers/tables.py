"""Lists of images as people keep them: CSV, TSV or JSON lines of `path`, `label`, maybe `split`.

Paths are absolute, or relative to the list's folder. A label is a text, whatever it says; a list
of names in JSON is joined. Never opens an image.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters.shown import shown
from trainer.data.listed import Row, known_split, task_of
from trainer.data.names import SEPARATOR, one_form
from trainer.data.task_data import TaskData
from trainer.errors import DataError

_NEEDED: Final = frozenset({"path", "label"})
_DELIMITERS: Final = {".csv": ",;", ".tsv": "\t"}
_JSON_LINES: Final = ".jsonl"
_ENDINGS: Final = frozenset({*_DELIMITERS, _JSON_LINES})


class Entry(NamedTuple):
    """One image of a list; what is not there is empty."""

    line: int
    path: str
    label: str
    split: str


def is_table(place: Path) -> bool:
    """Tell whether a place is such a list, or a folder that holds one."""
    return bool(_tables(place))


def read_table(place: Path, name: str, seed: int) -> TaskData:
    """Read the list; without splits, divide its images 80/10/10, stratified.

    Raises:
        DataError: there are several lists, or a line has no path, no label or an unknown split.
    """
    tables = _tables(place)
    if len(tables) > 1:
        raise DataError(
            f"{place}: {' and '.join(table.name for table in tables)} both have columns path and "
            "label; pass the one that is meant as DATA="
        )
    table = tables[0]
    entries = [_checked(table, entry) for entry in _entries(table)]
    root = table.parent.absolute()  # as some paths may be, whatever the list's own path is
    rows = [Row(root / entry.path, (entry.label,), entry.split) for entry in entries]
    return task_of(table, name, rows, seed)


def _tables(place: Path) -> list[Path]:
    inside = sorted(place.iterdir()) if place.is_dir() else [place]
    return [path for path in inside if path.suffix.lower() in _ENDINGS and _has_columns(path)]


def _has_columns(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.readline()
    try:
        header = first.decode("utf-8-sig")
        if path.suffix.lower() != _JSON_LINES:
            return bool(_columns(header, path)[0])
        record = json.loads(header)
    except (csv.Error, ValueError):
        return False
    return isinstance(record, dict) and record.keys() >= _NEEDED


def _entries(table: Path) -> Iterator[Entry]:
    for line, record in _records(table):
        texts = [record.get(column) for column in ("path", "label", "split")]
        yield Entry(line, *map(_text, texts))


def _text(value: Any) -> str:
    """Return a field as text; JSON's lists of names as CSV has them, `cat|dog`."""
    if not isinstance(value, list):
        return "" if value is None else str(value).strip()
    names = [str(name).strip() for name in value]
    if any(SEPARATOR in name or not name for name in names):
        raise ValueError(f"a list holds a name that is empty or has '{SEPARATOR}' in it: {names}")
    return SEPARATOR.join(names) if names else SEPARATOR


def _records(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield each line's number and its fields.

    Raises:
        DataError: it is not UTF-8 text, or not of its form.
    """
    is_json = table.suffix.lower() == _JSON_LINES
    try:
        yield from _json_lines(table) if is_json else _delimited(table)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{table} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except (csv.Error, ValueError) as error:
        raise DataError(f"{table} cannot be read ({error}); write the list again") from error


def _delimited(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    # the mark at the beginning is Excel's; line breaks within quotes are the csv module's matter
    with table.open(encoding="utf-8-sig", newline="") as file:
        columns, delimiter = _columns(file.readline(), table)
        lines = csv.reader(file, delimiter=delimiter, strict=True)
        for fields in lines:
            if any(fields):
                yield lines.line_num + 1, dict(zip(columns, fields, strict=False))


def _columns(header: str, table: Path) -> tuple[list[str], str]:
    """Return the names of the columns and what is between them; no names if ours are missing."""
    delimiters = _DELIMITERS[table.suffix.lower()]
    for delimiter in delimiters:
        found = next(csv.reader([header], delimiter=delimiter), [])
        names = [name.strip().lower() for name in found]
        if set(names) >= _NEEDED:
            return names, delimiter
    return [], delimiters[0]


def _json_lines(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with table.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                record = json.loads(text)
                if not isinstance(record, dict):
                    raise ValueError(f"line {line} is no object")
                yield line, record


def _checked(table: Path, entry: Entry) -> Entry:
    """Return an entry with its label in one Unicode form, and its split under our name.

    Raises:
        DataError: it has no path or no label, or its split is none that we know.
    """
    where = f"{table}:{entry.line}"
    if not entry.path or not entry.label:
        raise DataError(
            f"{where}: expected a path and a label, found {shown(entry.path)!r} and "
            f"{shown(entry.label)!r}; correct the line"
        )
    return entry._replace(label=one_form(entry.label), split=known_split(where, entry.split))
