"""Parquet files: their rows, and images that lie in their cells.

Images are read a row group at a time, so groups of a hundred rows, as `datasets` writes them, are
the quickest. Loads pyarrow, so it is imported where such a file is met.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from trainer.data.images.image_file import INSIDE
from trainer.data.readers.formats.columns import (
    Columns,
    Features,
    Record,
    columns_of,
    noted_features,
)
from trainer.errors import DataError

_KEPT: Final = 8
"""Row groups whose images are kept in memory: threads read that many at once, each in order."""

_reading = threading.Lock()


@dataclass(frozen=True)
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
        with _reading:  # or threads would read the same group, each for itself
            cells = _group(self.container, changed, self.group, self.column)
        found = cells[self.place].as_py()
        cell = found if isinstance(found, dict) else {"bytes": found}
        if cell["bytes"] is None and cell.get("path"):
            return (self.container.parent / cell["path"]).read_bytes()
        if not isinstance(cell["bytes"], bytes):
            raise OSError("the cell holds no image")
        return cell["bytes"]

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
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path} is cut, damaged or no Parquet file ({reason}); fetch or write it again"
        ) from error


def _records(path: Path, file: pq.ParquetFile, columns: Columns) -> Iterator[Record]:
    kind = file.schema_arrow.field(columns.image).type
    is_path = pa.types.is_string(kind) or pa.types.is_large_string(kind)
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


@lru_cache(maxsize=_KEPT)
def _group(path: Path, changed: int, group: int, column: str) -> Any:
    """Return the images of a row group; `changed` keeps those of a file that was written anew."""
    try:
        with pq.ParquetFile(path) as file:
            return file.read_row_group(group, [column], use_threads=False).column(column)
    except pa.ArrowException as error:
        raise OSError(f"the row cannot be read ({' '.join(str(error).split())})") from error
