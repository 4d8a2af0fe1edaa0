"""The files in a tar that is not compressed: their names, and where their bytes lie."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from trainer.data.images.image_file import ByteRange
from trainer.errors import DataError

_BLOCK = 512
"""Bytes; a tar is made of such blocks, and ends with blocks of zeros."""


def members_of(tar: Path) -> Iterator[ByteRange]:
    """Yield the files in a tar, in its order; no folders, and nothing hidden.

    Raises:
        DataError: it is missing, compressed, no tar, or cut.
    """
    end = 0
    if not tar.is_file():
        raise DataError(f"{tar} is missing; fetch it again, or correct DATA=")
    try:
        with tar.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                end = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
                if member.isreg() and not Path(member.name).name.startswith("."):
                    yield ByteRange(tar, member.name, member.offset_data, member.size)
            is_whole = _ends_at(file, end)
    except tarfile.TarError as error:
        raise DataError(
            f"{tar} is cut, compressed or no tar ({error}), expected a plain .tar; fetch it again, "
            "or unpack the compression, so that its images can be read in place"
        ) from error
    if not is_whole:
        raise DataError(
            f"{tar} is cut: expected the end of a tar at byte {end:,}, found none; fetch it again"
        )


def _ends_at(file: BinaryIO, end: int) -> bool:
    """Tell whether the mark of the end is there; without it tars lose their last files silently."""
    file.seek(end)
    return file.read(_BLOCK) == bytes(_BLOCK)
