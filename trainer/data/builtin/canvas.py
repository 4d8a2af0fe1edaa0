"""Backgrounds, colours and stamping for rendered tasks. Knows nothing of classes.

Axis letters: H W pixels.
"""

from collections.abc import Sequence
from colorsys import hsv_to_rgb

import numpy as np
from jaxtyping import Float
from numpy.random import Generator
from PIL import Image

SIDE = 64
SUPERSAMPLING = 4
"""Masks are drawn this many times larger and averaged down, for smooth edges."""

Colour = tuple[int, int, int]


def paint_background(rng: Generator) -> tuple[Image.Image, list[Colour]]:
    """Paint a gradient, stripes or blotches of two dim related colours, with a little noise.

    Returns:
        The image, and the two colours, for choosing others that stand out.
    """
    first = _random_colour(rng, (0.1, 0.8), (0.15, 0.5))
    second = np.clip(first + rng.integers(-40, 41, 3), 0, 255)
    mix = _PATTERNS[rng.integers(len(_PATTERNS))](rng)[..., None]
    noise = rng.normal(0, rng.uniform(1, 6), (SIDE, SIDE, 1))
    pixels = first * (1 - mix) + second * mix + noise
    image = Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))
    return image, [_as_colour(first), _as_colour(second)]


def pick_bright(rng: Generator, others: Sequence[Colour], distance: float = 140.0) -> Colour:
    """Pick a bright colour at least this far, in RGB, from all others; else the farthest tried."""
    tried = np.array([_random_colour(rng, (0.05, 0.65), (0.8, 1.0)) for _ in range(8)])
    gaps = np.min([np.linalg.norm(tried - other, axis=1) for other in others], axis=0)
    far = np.flatnonzero(gaps >= distance)
    return _as_colour(tried[far[0] if len(far) else int(gaps.argmax())])


def shrink(mask: Image.Image) -> Image.Image:
    """Average a mask down from its supersampled size."""
    return mask.reduce(SUPERSAMPLING)


def stamp(
    image: Image.Image, mask: Image.Image, centre: tuple[float, float], colour: Colour
) -> None:
    """Colour the image through a mask that is centred at a point, in place."""
    left, top = round(centre[0] - mask.width / 2), round(centre[1] - mask.height / 2)
    image.paste(colour, (left, top), mask)


def _random_colour(
    rng: Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> Float[np.ndarray, " rgb"]:
    return 255 * np.array(hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value)))


def _gradient(rng: Generator) -> Float[np.ndarray, "H W"]:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1) - 0.5
    return np.clip(0.5 + (x * np.cos(angle) + y * np.sin(angle)) * 0.9, 0, 1)


def _stripes(rng: Generator) -> Float[np.ndarray, "H W"]:
    angle, waves = rng.uniform(0, np.pi), rng.uniform(2, 7)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    phase = (x * np.cos(angle) + y * np.sin(angle)) * waves + rng.random()
    return 0.5 + 0.5 * np.sin(2 * np.pi * phase)


def _blotches(rng: Generator) -> Float[np.ndarray, "H W"]:
    cells = int(rng.integers(3, 9))
    coarse = Image.fromarray(rng.integers(0, 256, (cells, cells)).astype(np.uint8))
    return np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) / 255


def _as_colour(rgb: np.ndarray) -> Colour:
    red, green, blue = (int(v) for v in rgb)
    return red, green, blue


_PATTERNS = (_gradient, _stripes, _blotches)
