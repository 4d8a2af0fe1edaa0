"""A PNG whose text is broken, without its text. Knows chunks and checksums, nothing of pixels."""

import zlib
from collections.abc import Iterator
from typing import Final

START: Final = b"\x89PNG\r\n\x1a\n"

_TRANSPARENCY: Final = b"tRNS"
_ANCILLARY: Final = 0x20
"""The bit of a chunk's first letter, in lower case, that says pixels do not depend on it."""


def without_broken_metadata(data: bytes) -> bytes | None:
    """Return a PNG without the metadata whose checksum is wrong; None if there is none."""
    chunks = list(_chunks(data))
    good = [chunk for chunk in chunks if not _is_broken_metadata(chunk)]
    return None if len(good) == len(chunks) else START + b"".join(good)


def _is_broken_metadata(chunk: bytes) -> bool:
    kind, checksum = chunk[4:8], chunk[-4:]
    is_metadata = bool(kind[:1]) and bool(kind[0] & _ANCILLARY) and kind != _TRANSPARENCY
    return is_metadata and zlib.crc32(chunk[4:-4]).to_bytes(4, "big") != checksum


def _chunks(data: bytes) -> Iterator[bytes]:
    """Yield chunks whole, with their lengths and checksums; the last one may be cut."""
    at = len(START)
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield data[at:end]
        at = end
