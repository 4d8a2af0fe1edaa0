"""Arrow files, as `datasets.save_to_disk` writes them: images lie in them as they are.

So an image is a range of bytes, read in place and without pyarrow. Loads pyarrow, so it is imported
where such a file is met.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from trainer.data.images.image_file import ByteRange
from trainer.data.readers.formats.columns import (
    Columns,
    Features,
    Record,
    columns_of,
    noted_features,
)
from trainer.data.readers.formats.parquet import holds
from trainer.errors import DataError

_END: Final = b"\xff\xff\xff\xff\0\0\0\0"
"""Of a stream of tables; without it rows may be missing, and nothing would say so."""


def read_arrow(path: Path, noted: Features) -> tuple[Columns, list[Record]]:
    """Read which images a file has, and their labels; no image is read.

    Args:
        path: of the file.
        noted: of its columns by the folder; what the file itself notes counts more.

    Raises:
        DataError: it is cut, damaged or compressed, or lacks a column.
    """
    try:
        with pa.memory_map(str(path)) as mapped:
            whole = mapped.read_buffer()
            if whole[-len(_END) :].to_pybytes() != _END:
                raise DataError(f"{path} is cut: its end is not there; fetch or write it again")
            with pa.ipc.open_stream(whole) as stream:
                features = {**noted, **noted_features(stream.schema.metadata)}
                columns = columns_of(str(path), stream.schema.names, features)
                return columns, list(_records(path, whole, stream, columns))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path} is no whole Arrow stream ({reason}); fetch it, or save the data set, again"
        ) from error


def _records(
    path: Path, whole: pa.Buffer, stream: pa.RecordBatchReader, columns: Columns
) -> Iterator[Record]:
    kind = holds(path, columns.image, stream.schema.field(columns.image).type)
    row = 0
    for batch in stream:
        labels = batch.column(columns.label).to_pylist()
        none = [None] * len(labels)
        splits = batch.column(columns.split).to_pylist() if columns.split else none
        cells = batch.column(columns.image)
        paths = _part(cells, kind, "path").to_pylist() if kind != "bytes" else none
        content = _part(cells, kind, "bytes") if kind != "path" else pa.nulls(len(cells))
        ranges = _ranges(whole, content)
        for place, written in enumerate(zip(paths, labels, splits, ranges, strict=True)):
            named, label, split, (start, length) = written
            inside = ByteRange(path, str(row + place), start, length)
            yield Record(path.parent / named if named and not length else inside, label, split)
        row += len(labels)


def _part(cells: Any, kind: str, name: str) -> Any:
    return cells.field(name) if kind == "both" else cells


def _ranges(whole: pa.Buffer, cells: Any) -> list[tuple[int, int]]:
    """Return where the bytes of each cell begin in the file, and how many there are."""
    content = None if pa.types.is_null(cells.type) else cells.buffers()[2]
    if content is None or not content.size:
        return [(0, 0)] * len(cells)
    base = content.address - whole.address
    if not 0 <= base <= whole.size - content.size:
        raise pa.ArrowInvalid("it is compressed")
    width = np.int64 if pa.types.is_large_binary(cells.type) else np.int32
    ends = np.frombuffer(cells.buffers()[1], width)[cells.offset :][: len(cells) + 1]
    ends = ends.astype(np.int64)  # a file may be larger than what the cells of a batch count
    starts, lengths = (base + ends[:-1]).tolist(), np.diff(ends).tolist()
    return list(zip(starts, lengths, strict=True))
