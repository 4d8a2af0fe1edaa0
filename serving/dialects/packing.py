"""Bodies that callers have packed, by gzip or zlib: how long they are unpacked, and unpacked."""

import zlib
from collections.abc import Iterator
from typing import Final

from serving.errors import BadParameter

_ENCODINGS: Final = ("gzip", "deflate")
_EITHER: Final = 32 + zlib.MAX_WBITS
"""Of zlib: both, by how they begin."""

_PIECE: Final = 65_536


def is_packed(encoding: str | None) -> bool:
    """Return whether a body of this Content-Encoding is packed.

    Raises:
        BadParameter: in a way that we do not know.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return False
    if name in _ENCODINGS:
        return True
    raise BadParameter(
        f"Content-Encoding: expected {' or '.join(_ENCODINGS)}, or none, found {name[:80]!r}"
    )


def unpacked_bytes(body: bytes, most: int) -> int:
    """Return how long a body is unpacked, without keeping it; of a longer one than `most`, more.

    Raises:
        BadParameter: it is not packed as it is said to be.
    """
    length = 0
    for piece in _pieces(body):
        length += len(piece)
        if length > most:
            break
    return length


def unpacked(body: bytes) -> bytes:
    """Return a body, whose length is known to be harmless.

    Raises:
        BadParameter: see `unpacked_bytes`.
    """
    return b"".join(_pieces(body))


def _pieces(body: bytes) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_EITHER)
    try:
        for begin in range(0, len(body), _PIECE):
            left = body[begin : begin + _PIECE]
            while left and not unpacker.eof:
                yield unpacker.decompress(left, _PIECE)
                left = unpacker.unconsumed_tail
            if left:
                raise _broken("more follows its end")
        while piece := unpacker.decompress(b"", _PIECE):
            yield piece
    except zlib.error as error:
        raise _broken(str(error)) from error
    if unpacker.unused_data or not unpacker.eof:
        raise _broken("more follows its end" if unpacker.eof else "its end is missing")


def _broken(what: str) -> BadParameter:
    return BadParameter(
        f"the body is not packed as its Content-Encoding says ({what}); send it as it is: images "
        "are packed already"
    )
