"""The chunks of a WebP: the file without its metadata, where they are what is damaged.

Knows chunks, nothing of pixels.
"""

from collections.abc import Iterator
from typing import Final

_EXIF: Final = b"EXIF"
_KEPT: Final = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", _EXIF)
_PROFILE_FLAG, _EXIF_FLAG, _XMP_FLAG = 0x20, 0x08, 0x04
"""Of the header: what else is in the file."""


def without_metadata(data: bytes) -> bytes | None:
    """Return a WebP of its pixels and the turn of the camera; None if it is that already.

    A chunk that is cut is left out: of an animation the first picture may be whole all the same.
    """
    kept = [chunk for chunk in _chunks(data) if chunk[:4] in _KEPT]
    no_exif = 0 if any(chunk[:4] == _EXIF for chunk in kept) else _EXIF_FLAG
    gone = _PROFILE_FLAG | _XMP_FLAG | no_exif
    body = b"WEBP" + b"".join(_without_flags(chunk, gone) for chunk in kept)
    made = b"RIFF" + len(body).to_bytes(4, "little") + body
    return None if made == data else made


def _without_flags(chunk: bytes, flags: int) -> bytes:
    is_header = chunk[:4] == b"VP8X" and len(chunk) > 8
    return chunk[:8] + bytes([chunk[8] & ~flags]) + chunk[9:] if is_header else chunk


def _chunks(data: bytes) -> Iterator[bytes]:
    """Yield whole chunks, each with its kind, its length, and the byte that makes it even."""
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > len(data):
            return
        yield data[at : at + 8 + length] + b"\0" * (length % 2)
        at += 8 + length + length % 2
