"""Pixels that are a caller's own, as a binary PPM: a size in words, then every byte of RGB.

Nothing is decoded. Strict where the format is loose: 8 bits, one image, every byte there.
"""

import re
from collections.abc import Callable
from typing import Final

from PIL import Image

from adapters.errors import BadImage

START: Final = b"P6"

_LONGEST_HEADER: Final = 1000
_BETWEEN: Final = rb"(?:\s|#[^\r\n]*[\r\n])+"
_NUMBER: Final = rb"(\d{1,6})"
_HEADER = re.compile(START + 3 * (_BETWEEN + _NUMBER) + rb"\s")


def read_ppm(data: bytes, admit: Callable[[tuple[int, int]], object]) -> Image.Image:
    """Return the image.

    Args:
        data: the file.
        admit: told width and height before any memory is taken; raises what refuses them.

    Raises:
        BadImage: its header is not that of a PPM of 8 bits, or bytes are missing or too many.
    """
    header = _HEADER.match(data, 0, _LONGEST_HEADER)
    if header is None:
        raise BadImage(
            f"the PPM's header is damaged: expected 'P6 <width> <height> 255', found {data[:40]!r}"
        )
    width, height, largest = map(int, header.groups())
    if largest != 255:
        raise BadImage(f"the PPM's largest value is {largest}, expected 255, which is 8 bits")
    expected, found = width * height * 3, len(data) - header.end()
    if found != expected or not expected:
        raise BadImage(
            f"the PPM is {width}x{height}, expected width times height times 3 = {expected:,} "
            f"bytes after its header, and not none; found {found:,}"
        )
    admit((width, height))
    return Image.frombytes("RGB", (width, height), memoryview(data)[header.end() :])
