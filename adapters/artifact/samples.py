"""Small images that an artifact may carry, so that people see what its task is about.

They change no answer. Whoever may ask the task may see them.
"""

from base64 import b64decode
from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

MAX_SAMPLES: Final = 12
MAX_SAMPLE_BYTES: Final = 4096
MAX_SAMPLE_SIDE: Final = 96
"""Pixels, of the longer side."""

MAX_SAMPLE_LABEL: Final = 200
"""Characters."""

_BEGIN, _END = b"\xff\xd8\xff", b"\xff\xd9"
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the segment that has a JPEG's size."""


class SampleImage(BaseModel):
    """One training image and its label, in words.

    Attributes:
        label: the class, several with commas, or the number.
        jpeg: base64 of the JPEG.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    jpeg: str


def samples_fault(samples: Sequence[SampleImage]) -> str | None:
    """Return what of these is no sample image or beyond its bounds, or None."""
    if len(samples) > MAX_SAMPLES:
        return f"it has {len(samples)} sample images, the limit is {MAX_SAMPLES}"
    faults = ((place, _fault(one)) for place, one in enumerate(samples, 1))
    return next((f"sample image {place} {fault}" for place, fault in faults if fault), None)


def _fault(sample: SampleImage) -> str | None:
    if len(sample.label) > MAX_SAMPLE_LABEL:
        return f"has a label of {len(sample.label):,} characters, the limit is {MAX_SAMPLE_LABEL}"
    try:
        data = b64decode(sample.jpeg, validate=True)
    except ValueError:
        return "is no base64"
    if len(data) > MAX_SAMPLE_BYTES:
        return f"has {len(data):,} bytes, the limit is {MAX_SAMPLE_BYTES:,}"
    sides = _sides(data)
    if sides is None:
        return "is no JPEG"
    if not 1 <= min(sides) <= max(sides) <= MAX_SAMPLE_SIDE:
        return f"has {sides[1]} x {sides[0]} pixels, the limit is {MAX_SAMPLE_SIDE} a side"
    return None


def _sides(data: bytes) -> tuple[int, int] | None:
    """Return height and width of a JPEG, as its header says; None if it has no such header."""
    if not (data.startswith(_BEGIN) and data.endswith(_END)):
        return None
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        if data[place + 1] in _FRAMES:
            height, width = data[place + 5 : place + 7], data[place + 7 : place + 9]
            return int.from_bytes(height), int.from_bytes(width)
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return None
