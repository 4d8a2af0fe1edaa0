"""Which capital letter is it; the test uses fonts that neither training nor validation saw.

The fonts are those that ship with matplotlib.
"""

import string
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from trainer.data.builtin.canvas import (
    SIDE,
    SUPERSAMPLING,
    paint_background,
    pick_bright,
    shrink,
    stamp,
)
from trainer.data.builtin.rendering import Builtin, Sizes, render_balanced

SEED = 26064
SHIFT = 4
"""Farthest that a letter lies from the middle, along each side, in pixels."""
FONTS = {
    "train": (
        "DejaVuSans",
        "DejaVuSans-BoldOblique",
        "DejaVuSansMono-Bold",
        "DejaVuSerif",
        "DejaVuSerif-BoldItalic",
        "STIXGeneral",
        "cmb10",
        "cmss10",
    ),
    "val": ("DejaVuSans-Bold", "DejaVuSerif-Italic", "STIXGeneralBol"),
    "test": ("DejaVuSansMono-Oblique", "DejaVuSerif-Bold", "STIXGeneralBolIta", "cmr10", "cmtt10"),
}


def draw_letter(rng: Generator, label: int, split: str) -> Image.Image:
    """Draw one letter in a font of the split, slanted and turned a little."""
    image, colours = paint_background(rng)
    font = FONTS[split][rng.integers(len(FONTS[split]))]
    mask = _letter_mask(rng, string.ascii_uppercase[label], font)
    room = (SIDE - np.array(mask.size)) / 2
    x, y = SIDE / 2 + rng.uniform(-1, 1, 2) * np.clip(room, 0, SHIFT)
    stamp(image, mask, (x, y), pick_bright(rng, colours))
    return image


def _letter_mask(rng: Generator, letter: str, font: str) -> Image.Image:
    """Draw at four times the size, then slant and turn, shrink, and cut off the empty margin."""
    size = int(rng.integers(46, 57)) * SUPERSAMPLING
    side = int(1.6 * size)
    canvas = Image.new("L", (side, side))
    pen = ImageDraw.Draw(canvas)
    pen.text((side / 2, side / 2), letter, fill=255, font=_load_font(font, size), anchor="mm")
    bend = _bend(rng.uniform(-0.15, 0.15), np.radians(rng.uniform(-8, 8)), side / 2)
    bent = canvas.transform(canvas.size, Image.Transform.AFFINE, bend, Image.Resampling.BILINEAR)
    mask = shrink(bent)
    return mask.crop(mask.getbbox())


def _bend(slant: float, angle: float, middle: float) -> tuple[float, ...]:
    """Return the affine map of Pillow that slants and turns about (middle, middle)."""
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[1, slant], [0, 1]]) @ np.array([[cos, sin], [-sin, cos]])
    shift = middle - matrix @ (middle, middle)
    return tuple(float(v) for v in np.column_stack([matrix, shift]).ravel())


@cache
def _load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


LETTERS = Builtin(
    tuple(string.ascii_uppercase),
    Sizes(train=1000, val=260, test=520),
    lambda sizes: render_balanced(sizes, len(string.ascii_uppercase), draw_letter, SEED),
)
