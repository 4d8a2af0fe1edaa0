"""Which of eight figures is it, at any place, size, tilt and colour?"""

from numpy.random import Generator
from PIL import Image

from trainer.data.builtin.canvas import SIDE, paint_background, pick_bright, stamp
from trainer.data.builtin.outlines import FIGURES, draw_mask
from trainer.data.builtin.rendering import Builtin, Sizes, render_balanced

SEED = 8064
SHIFT = 10
"""Farthest that a figure lies from the middle, along each side, in pixels."""
TILT = 0.6
"""Largest rotation, in radians."""

KINDS = tuple(FIGURES)


def draw_shape(rng: Generator, label: int, split: str) -> Image.Image:
    """Draw one figure, wholly inside the image; all splits alike."""
    del split
    image, colours = paint_background(rng)
    radius = rng.uniform(15, 28)
    mask = draw_mask(KINDS[label], radius, rng.uniform(-TILT, TILT), rng.uniform(0.8, 1))
    room = min(SHIFT, SIDE / 2 - radius - 1)
    x, y = SIDE / 2 + rng.uniform(-room, room, 2)
    stamp(image, mask, (x, y), pick_bright(rng, colours))
    return image


SHAPES = Builtin(
    KINDS,
    Sizes(train=800, val=200, test=400),
    lambda sizes: render_balanced(sizes, len(KINDS), draw_shape, SEED),
)
