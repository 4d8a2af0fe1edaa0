"""The chunks of a PNG: how many there are, and the file without those whose text is broken.

Knows chunks and checksums, nothing of pixels.
"""

import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Final

from adapters.errors import ImageTooLarge

START: Final = b"\x89PNG\r\n\x1a\n"

_TRANSPARENCY: Final = b"tRNS"
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


def without_broken_metadata(data: bytes) -> bytes | None:
    """Return a PNG without the metadata whose checksum is wrong; None if there is none."""
    chunks = [data[start:end] for start, end in _chunks(data)]
    good = [chunk for chunk in chunks if not _is_broken_metadata(chunk)]
    return None if len(good) == len(chunks) else START + b"".join(good)


def _is_broken_metadata(chunk: bytes) -> bool:
    kind, checksum = chunk[4:8], chunk[-4:]
    is_metadata = bool(kind[:1]) and bool(kind[0] & _ANCILLARY) and kind != _TRANSPARENCY
    return is_metadata and zlib.crc32(chunk[4:-4]).to_bytes(4, "big") != checksum


def _chunks(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where chunks begin and end, lengths and checksums included; the last may be cut."""
    at = len(START)
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield at, end
        at = end
