"""A decoded image of any mode to upright 8-bit RGB, with no more whole copies than it must have."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import numpy as np
from PIL import ExifTags, Image

STRIP_PIXELS: Final = 1 << 20
"""Pixels that are converted at once where a conversion needs copies."""

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EIGHT_OF_SIXTEEN: Final = ((np.arange(65536, dtype=np.uint32) * 255 + 32767) // 65535).astype(
    np.uint8
)


def upright(image: Image.Image) -> Image.Image:
    """Return a loaded image as it was held."""
    turn = turn_of(image)
    return image if turn is None else image.transpose(turn)


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return how an opened image becomes upright, by its EXIF; broken EXIF says nothing."""
    with suppress(Exception):  # metadata never decide whether an image is taken
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return None


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a loaded image as RGB; itself if it is that already.

    Transparency is laid on white; 16-bit greys are scaled to 8 bits.
    """
    if image.mode.startswith("I"):
        return _in_strips(image, _from_sixteen_bits)
    if image.has_transparency_data:
        return _in_strips(image, _on_white)
    return image if image.mode == "RGB" else image.convert("RGB")


def strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield an image in strips of full width, each with the row where it begins."""
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(height, top + rows)))


def _in_strips(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    made = Image.new("RGB", image.size)
    for top, strip in strips(image):
        made.paste(convert(strip), (0, top))
    return made


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    return Image.fromarray(_EIGHT_OF_SIXTEEN[np.asarray(image)]).convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    canvas = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(canvas, image.convert("RGBA")).convert("RGB")
