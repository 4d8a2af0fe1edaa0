"""Parquet files: their rows, and images that lie in their cells.

Images are read a row group at a time, so groups of a hundred rows, as `datasets` writes them, are
the quickest. Loads pyarrow, so it is imported where such a file is met.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from weakref import WeakValueDictionary

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.shown import shown
from trainer.data.images.image_file import INSIDE
from trainer.data.readers.formats.columns import (
    Columns,
    Features,
    Record,
    columns_of,
    noted_features,
)
from trainer.errors import DataError


@dataclass(frozen=True, eq=False)
class _Group:
    """The images of a row group."""

    cells: Any


# a group stays in memory while it is the last one that some thread has read from: threads that
# walk through the rows share it, and whoever jumps about holds one
_groups: WeakValueDictionary[tuple[Path, int, int, str], _Group] = WeakValueDictionary()
_own = threading.local()
_reading = threading.Lock()


@dataclass(frozen=True, slots=True)
class Cell:
    """An image in a cell of a Parquet file.

    Attributes:
        container: the file.
        row: in the file, from 0.
        group: the row group that holds it.
        place: in the group, from 0.
        column: of encoded images, or of `{bytes, path}`.
    """

    container: Path
    row: int
    group: int
    place: int
    column: str

    def read_bytes(self) -> bytes:
        """Return the encoded image.

        Raises:
            OSError: the file cannot be read, or the cell holds no image.
        """
        changed = self.container.stat().st_mtime_ns
        found = _group(self.container, changed, self.group, self.column).cells[self.place].as_py()
        content, path = found, None
        if isinstance(found, dict):
            content, path = found.get("bytes"), found.get("path")
        if content is None and path:
            return (self.container.parent / path).read_bytes()
        if not isinstance(content, bytes):
            raise OSError("the cell holds no image")
        return content

    def is_file(self) -> bool:
        """Tell whether the file is there."""
        return self.container.is_file()

    def __str__(self) -> str:
        return f"{self.container}{INSIDE}{self.row}"


def read_parquet(path: Path, noted: Features) -> tuple[Columns, list[Record]]:
    """Read which images a file has, and their labels; no image is read.

    Args:
        path: of the file.
        noted: of its columns by a README; what the file itself notes counts more.

    Raises:
        DataError: it is cut or no Parquet, or lacks a column.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            features = {**noted, **noted_features(schema.metadata)}
            columns = columns_of(str(path), schema.names, features)
            return columns, list(_records(path, file, columns))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path} is cut, damaged or no Parquet file ({reason}); fetch or write it again"
        ) from error


def holds(path: Path, column: str, kind: pa.DataType) -> Literal["path", "bytes", "both"]:
    """Return what is in the cells of a column of images; both is `{bytes, path}`.

    Raises:
        DataError: its type is that of nothing of this.
    """
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "path"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "bytes"
    if pa.types.is_struct(kind) and {"bytes", "path"} <= {field.name for field in kind}:
        return "both"
    raise DataError(
        f"{path}: the column {shown(column)} holds {kind}, expected paths, the bytes of images, or "
        "{bytes, path}; write its images as such"
    )


def _records(path: Path, file: pq.ParquetFile, columns: Columns) -> Iterator[Record]:
    is_path = holds(path, columns.image, file.schema_arrow.field(columns.image).type) == "path"
    row = 0
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns.read() + [columns.image] * is_path)
        labels = table.column(columns.label).to_pylist()
        none = [None] * len(labels)
        splits = table.column(columns.split).to_pylist() if columns.split else none
        paths = table.column(columns.image).to_pylist() if is_path else none
        for place, written in enumerate(zip(paths, labels, splits, strict=True)):
            named, label, split = written
            cell = Cell(path, row, group, place, columns.image)
            yield Record(path.parent / named if named else cell, label, split)
            row += 1


def _group(path: Path, changed: int, number: int, column: str) -> _Group:
    """Return the images of a row group; `changed` keeps those of a file that was written anew."""
    key = (path, changed, number, column)
    with _reading:  # or threads would read the same group, each for itself
        if (group := _groups.get(key)) is None:
            _groups[key] = group = _read_group(path, number, column)
    _own.group = group
    return group


def _read_group(path: Path, number: int, column: str) -> _Group:
    try:
        with pq.ParquetFile(path) as file:
            return _Group(file.read_row_group(number, [column], use_threads=False).column(column))
    except pa.ArrowException as error:
        raise OSError(f"the row cannot be read ({' '.join(str(error).split())})") from error
