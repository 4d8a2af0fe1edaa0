"""Arrow files, as `datasets.save_to_disk` writes them: images lie in them as they are.

So an image is a range of bytes, read in place and without pyarrow. Loads pyarrow, so it is imported
where such a file is met.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from trainer.data.images.image_file import ByteRange, ImageFile
from trainer.data.readers.formats.columns import (
    Columns,
    Features,
    Record,
    columns_of,
    noted_features,
)
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
    row = 0
    for batch in stream:
        labels = batch.column(columns.label).to_pylist()
        splits = batch.column(columns.split).to_pylist() if columns.split else [None] * len(labels)
        images = _images(path, whole, batch.column(columns.image), row)
        for image, label, split in zip(images, labels, splits, strict=True):
            yield Record(image, label, split)
        row += len(labels)


def _images(path: Path, whole: pa.Buffer, column: Any, row: int) -> Iterator[ImageFile]:
    """Yield where the images of a batch lie; those that are only named lie in other files."""
    paths: list[str | None] = [None] * len(column)
    if pa.types.is_struct(column.type):
        paths = column.field("path").to_pylist()
        column = column.field("bytes")
    elif not pa.types.is_binary(column.type) and not pa.types.is_large_binary(column.type):
        yield from (path.parent / one for one in column.to_pylist())
        return
    _, offsets, content = column.buffers()
    if content is None:  # no cell holds an image
        yield from (path.parent / (one or "") for one in paths)
        return
    width = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    starts = np.frombuffer(offsets, width)[column.offset : column.offset + len(column) + 1]
    base = content.address - whole.address
    if not 0 <= base <= whole.size - content.size:
        raise DataError(f"{path} is compressed; write it again with datasets.save_to_disk")
    for i, (is_there, named) in enumerate(zip(column.is_valid().to_pylist(), paths, strict=True)):
        start, end = map(int, starts[i : i + 2])
        inside = ByteRange(path, str(row + i), base + start, end - start)
        yield inside if is_there or not named else path.parent / named
