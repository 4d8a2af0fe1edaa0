"""The chunks of a PNG: how many there are, and the file without its metadata.

Knows chunks and checksums, nothing of pixels.
"""

import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Final

from adapters.errors import ImageTooLarge

START: Final = b"\x89PNG\r\n\x1a\n"

_TRANSPARENCY: Final = b"tRNS"
_EXIF: Final = b"eXIf"
_ANCILLARY: Final = 0x20
"""The bit of a chunk's first letter, in lower case, that says pixels do not depend on it."""


MAX_CHUNKS: Final = 20_000
"""Far more than a file of our size has; each is read by Python while no other thread runs."""


def check_chunks(data: bytes) -> None:
    """Refuse a PNG whose chunks would take for ever to go through.

    Raises:
        ImageTooLarge: it has more than `MAX_CHUNKS`.
    """
    if next(islice(_chunks(data), MAX_CHUNKS, None), None) is not None:
        raise ImageTooLarge(f"the PNG has more than {MAX_CHUNKS:,} chunks; save it again")


def without_metadata(data: bytes) -> bytes | None:
    """Return a PNG of the chunks that its pixels depend on; None if it has no others.

    The turn of the camera stays, where its checksum is right.
    """
    chunks = [data[start:end] for start, end in _chunks(data)]
    kept = [chunk for chunk in chunks if not _is_metadata(chunk)]
    return None if len(kept) == len(chunks) else START + b"".join(kept)


def _is_metadata(chunk: bytes) -> bool:
    kind = chunk[4:8]
    if kind == _EXIF:
        return zlib.crc32(chunk[4:-4]).to_bytes(4, "big") != chunk[-4:]
    return bool(kind[:1]) and bool(kind[0] & _ANCILLARY) and kind != _TRANSPARENCY


def _chunks(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where chunks begin and end, lengths and checksums included; the last may be cut."""
    at = len(START)
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield at, end
        at = end
