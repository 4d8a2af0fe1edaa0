"""Outlines of plane figures and their masks. Knows nothing of colour or tasks.

A figure is a list of closed outlines, points being complex numbers within the unit circle; each
outline after the first is cut out of it.
"""

import numpy as np
from jaxtyping import Complex
from PIL import Image, ImageDraw

from trainer.data.builtin.canvas import SUPERSAMPLING, shrink

Outline = Complex[np.ndarray, " points"]


def draw_mask(kind: str, radius: float, angle: float, squeeze: float = 1.0) -> Image.Image:
    """Draw a figure as a smooth mask.

    Args:
        kind: a key of `FIGURES`.
        radius: of the circle around the figure, in pixels of the final image.
        angle: of rotation, in radians.
        squeeze: height over width, before the rotation.
    """
    side = 2 * int(np.ceil(radius + 1))
    mask = Image.new("L", (side * SUPERSAMPLING, side * SUPERSAMPLING))
    pen = ImageDraw.Draw(mask)
    for i, outline in enumerate(FIGURES[kind]):
        turned = (outline.real + 1j * squeeze * outline.imag) * np.exp(1j * angle)
        points = turned * radius * SUPERSAMPLING + (1 + 1j) * mask.width / 2
        flat = [(float(p.real), float(p.imag)) for p in points]
        pen.polygon(flat, fill=0 if i else 255)
    return shrink(mask)


def _regular(corners: int) -> Outline:
    return np.exp(1j * (2 * np.pi * np.arange(corners) / corners - np.pi / 2))


def _star() -> Outline:
    points = _regular(10)
    points[1::2] *= 0.45
    return points


def _cross(variant: float = 0.36) -> Outline:
    reach = float(np.sqrt(1 - variant**2))
    corner = np.array([variant + 1j * reach, variant + 1j * variant, reach + 1j * variant])
    return np.concatenate([corner * (-1j) ** quarter for quarter in range(4)])


def _heart() -> Outline:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    points = x - 1j * (y + 2.5)
    return points / np.abs(points).max()


_CIRCLE = _regular(72)

FIGURES: dict[str, list[Outline]] = {
    "circle": [_CIRCLE],
    "square": [_regular(4)],
    "triangle": [_regular(3)],
    "star": [_star()],
    "heart": [_heart()],
    "cross": [_cross()],
    "ring": [_CIRCLE, 0.6 * _CIRCLE],
    "crescent": [_CIRCLE, 0.85 * _CIRCLE + 0.45],
}
