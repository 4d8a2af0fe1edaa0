"""How many objects are there, one to six, of any kind, size and colour?"""

import numpy as np
from numpy.random import Generator
from PIL import Image

from trainer.data.builtin.canvas import SIDE, paint_background, pick_bright, stamp
from trainer.data.builtin.outlines import draw_mask
from trainer.data.builtin.rendering import Builtin, Sizes, render_balanced

SEED = 6064
NUMBERS = ("one", "two", "three", "four", "five", "six")
KINDS = ("circle", "square", "triangle", "star", "heart", "cross")
GAP = 1.0
"""Least distance of the circles around two objects, in pixels."""

_Spot = tuple[float, float, float]


def draw_count(rng: Generator, label: int, split: str) -> Image.Image:
    """Draw `label + 1` objects that do not touch; all splits alike."""
    del split
    image, colours = paint_background(rng)
    for x, y, radius in _place(rng, label + 1):
        kind = KINDS[rng.integers(len(KINDS))]
        mask = draw_mask(kind, radius, rng.uniform(0, 2 * np.pi))
        stamp(image, mask, (x, y), pick_bright(rng, colours))
    return image


def _place(rng: Generator, count: int) -> list[_Spot]:
    """Throw discs until `count` lie apart, starting over when one finds no room."""
    spots: list[_Spot] = []
    while len(spots) < count:
        spot = next((s for s in _throws(rng) if _is_free(s, spots)), None)
        spots = [] if spot is None else [*spots, spot]
    return spots


def _throws(rng: Generator, attempts: int = 60) -> list[_Spot]:
    radii = rng.uniform(5, 11, attempts)
    places = rng.uniform(0, 1, (attempts, 2)) * (SIDE - 2 * radii[:, None] - 2) + radii[:, None] + 1
    return [(float(x), float(y), float(r)) for (x, y), r in zip(places, radii, strict=True)]


def _is_free(spot: _Spot, others: list[_Spot]) -> bool:
    x, y, radius = spot
    return all(np.hypot(x - u, y - v) >= radius + r + GAP for u, v, r in others)


COUNTING = Builtin(
    NUMBERS,
    Sizes(train=800, val=200, test=400),
    lambda sizes: render_balanced(sizes, len(NUMBERS), draw_count, SEED),
)
