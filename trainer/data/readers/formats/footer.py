"""Whether a Parquet file holds images and labels, by the names in its footer; needs no library."""

import os
from pathlib import Path
from typing import Final

_MAGIC: Final = b"PAR1"
_TAIL: Final = 8
"""Bytes at the end: the length of the footer, and the magic."""


def may_be_list(path: Path) -> bool:
    """Tell whether a file has our columns or what `datasets` notes, or is cut, so that it is told.

    A table of anything else, such as of features next to image folders, is none.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return False
        file.seek(-_TAIL, os.SEEK_END)
        length, magic = int.from_bytes(file.read(4), "little"), file.read(4)
        if magic != _MAGIC:
            return True
        file.seek(-min(length + _TAIL, file.tell()), os.SEEK_END)
        footer = file.read(length)
    has_image = any(name in footer for name in (b"path", b"image", b"img"))
    return b"huggingface" in footer or (b"label" in footer and has_image)
