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
            f"{path} is damaged or no Arrow stream ({reason}); fetch or write it again"
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
        paths = cells.field("path").to_pylist() if kind == "both" else none
        if kind == "path":
            images: list[ByteRange | None] = [*none]
            paths = cells.to_pylist()
        else:
            images = _ranges(path, whole, cells.field("bytes") if kind == "both" else cells, row)
        for image, named, label, split in zip(images, paths, labels, splits, strict=True):
            yield Record(image or path.parent / (named or ""), label, split)
        row += len(labels)


def _ranges(path: Path, whole: pa.Buffer, cells: Any, row: int) -> list[ByteRange | None]:
    """Return where the images of a batch lie in the file; None for a cell without one."""
    _, offsets, content = cells.buffers()
    if content is None or not len(cells):
        return [None] * len(cells)
    base = content.address - whole.address
    if not 0 <= base <= whole.size - content.size:
        raise DataError(f"{path} is compressed; write it again with datasets.save_to_disk")
    width = np.int64 if pa.types.is_large_binary(cells.type) else np.int32
    starts = np.frombuffer(offsets, width)[cells.offset : cells.offset + len(cells) + 1].tolist()
    return [
        ByteRange(path, str(row + i), base + starts[i], starts[i + 1] - starts[i])
        if there
        else None
        for i, there in enumerate(cells.is_valid().to_pylist())
    ]
