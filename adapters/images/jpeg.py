"""The structure of a JPEG: how many scans it has, and whether they hold every pixel.

Read before its pixels are decoded: a scan of no bytes costs a pass over all pixels. Knows markers
and their order, nothing of what is between them.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from adapters.errors import ImageTooLarge

START: Final = b"\xff\xd8"
END: Final = b"\xff\xd9"

MAX_SCANS: Final = 100
"""Passes over the pixels; encoders make 10 or so."""

MAX_SEGMENTS: Final = 10_000

_NEXT_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_FRAMES: Final = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = {0xC2, 0xCA}
_SCAN: Final = 0xDA
_COEFFICIENTS: Final = 64


def _noise(first: int, restart: int) -> bytes:
    """Return bits that begin with the eight of `first`, then restarts, from one of the eight on."""
    bits = bytes([first]) + hashlib.shake_128(bytes([first])).digest(64).replace(b"\xff", b"\xfe")
    return bits + b"".join(bytes([0xFF, 0xD0 + (restart + i) % 8]) + bits for i in range(32))


_FIRSTS: Final = (0x00, 0x55, 0x92, 0xAA, 0xC3, 0xE7, 0xF0, 0xFE)
_NOISES: Final = tuple(_noise(first, restart) for restart, first in enumerate(_FIRSTS))
"""What a decoder that misses bits takes for them, also where it looks for its next restart."""


class _Segment(NamedTuple):
    """A marker, and what it says; `end` is where the file goes on."""

    marker: int
    body: bytes
    end: int


def check_scans(data: bytes) -> None:
    """Refuse a JPEG whose passes over its pixels would never end.

    Raises:
        ImageTooLarge: it has more than `MAX_SCANS` scans, or `MAX_SEGMENTS` segments.
    """
    scans, components, is_progressive = 0, 0, False
    for count, segment in enumerate(_segments(data)):
        if count >= MAX_SEGMENTS:
            raise ImageTooLarge(f"the JPEG has more than {MAX_SEGMENTS:,} segments; save it again")
        if segment.marker in _FRAMES:
            is_progressive = segment.marker in _PROGRESSIVE
            components = segment.body[5] if len(segment.body) > 5 else 0
        if segment.marker != _SCAN:
            continue
        scans += 1
        if not is_progressive and segment.body[:1] == bytes([components]):
            return  # its one scan holds everything, and what follows is not decoded
        if scans > MAX_SCANS:
            raise ImageTooLarge(
                f"the JPEG has more than {MAX_SCANS} scans, each a pass over all of its pixels; "
                "save it again"
            )


def endings(data: bytes) -> list[bytes]:
    """Return a JPEG that lacks its end with several; none if it lacks a scan, or has its end.

    Decoders fill up what is missing from what they find. So if the pixels are the same under all
    endings, the file itself holds them all.
    """
    segments = list(_segments(data))
    if any(segment.marker == END[1] for segment in segments) or not _has_every_scan(segments):
        return []
    body = data.rstrip(b"\xff")
    return [body + noise + END for noise in _NOISES]


def _has_every_scan(segments: list[_Segment]) -> bool:
    """Return whether every component has a scan, a progressive one's to its last bit."""
    frame = next((segment for segment in segments if segment.marker in _FRAMES), None)
    scans = [segment.body for segment in segments if segment.marker == _SCAN]
    if frame is None or len(frame.body) < 6 or not scans:
        return False
    components = {frame.body[6 + 3 * i : 7 + 3 * i] for i in range(frame.body[5])}
    is_progressive = frame.marker in _PROGRESSIVE
    per_component = range(_COEFFICIENTS if is_progressive else 1)
    exact = {place for scan in scans for place in _exact(scan)}
    return exact >= {(component, k) for component in components for k in per_component}


def _exact(scan: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the components and coefficients that a scan makes exact."""
    count = scan[0] if scan else 0
    if len(scan) < 4 + 2 * count:
        return
    first, last, low = scan[1 + 2 * count], scan[2 + 2 * count], scan[3 + 2 * count] & 15
    for i in range(count if low == 0 else 0):
        for k in range(first, min(last, _COEFFICIENTS - 1) + 1):
            yield scan[1 + 2 * i : 2 + 2 * i], k


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yield what a JPEG is made of, as far as it can be followed."""
    at = len(START)
    while (found := _NEXT_MARKER.search(data, at)) is not None:
        marker, at = data[found.end() - 1], found.end()
        length = 0 if marker == END[1] else int.from_bytes(data[at : at + 2], "big")
        yield _Segment(marker, data[at + 2 : at + length], at + length)
        if marker == END[1]:
            return
        at += max(2, length)
