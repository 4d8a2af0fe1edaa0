"""Attention laid over the image it belongs to. Pixels by Pillow, titles as text."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from trainer.page.frame import LINE, Caption, framed
from trainer.page.palette import LIGHT
from trainer.page.scale import Number, Point
from trainer.page.svg import MARGIN, TEXT, Drawing, element, text
from trainer.page.words import shorten

_SIDE: Final = 208
_GAP: Final = 12
_HEAD: Final = LINE + 4
_OPACITY: Final = 0.85
_STOPS: Final = (0.0, 0.45, 1.0)
_CHANNELS: Final = ((28.0, 194.0, 255.0), (27.0, 106.0, 226.0), (25.0, 18.0, 138.0))
"""Red, green and blue of the least, a middle and the greatest weight."""

_LONGEST: Final = 32


@dataclass(frozen=True)
class Overlay:
    """An image, alone or under a map of weights.

    Attributes:
        title: written above.
        image: RGB, `[H, W, 3]`, as the model was shown it.
        weights: `[g, w]`, not negative, a number per patch; most coloured where greatest, over the
            image in grey; None shows the image as it is.
    """

    title: str
    image: NDArray[np.uint8]
    weights: NDArray[np.float32] | None = None


def draw_overlays(overlays: Sequence[Overlay], columns: int = 3) -> Drawing:
    """Draw images under their attention side by side.

    Each map has its own scale, from 0 to its greatest weight, smoothed between patches.

    Args:
        overlays: at least one.
        columns: images side by side, at most.
    """
    places, size = _places(len(overlays), columns)

    def draw(top: Number) -> str:
        parts = []
        for one, (x, y) in zip(overlays, places, strict=True):
            uri = f"data:image/png;base64,{base64.b64encode(_png(shaded(one))).decode()}"
            words = shorten(one.title, _LONGEST)
            parts.append(text((x, top + y - 6), words, "name"))
            parts.append(element("image", href=uri, x=x, y=top + y, width=_SIDE, height=_SIDE))
        return "".join(parts)

    return framed(Caption(description=", ".join(one.title for one in overlays)), size, draw)


def save_overlays(path: Path, overlays: Sequence[Overlay], columns: int = 3) -> Path:
    """Write the same as a file with equal bytes for equal images, and return its path.

    Raises:
        ValueError: there is nothing to draw, or the path ends neither in .svg nor in .png.
    """
    if not overlays:
        raise ValueError("figure: expected at least one image, found none")
    if path.suffix not in (".svg", ".png"):
        raise ValueError(f"{path}: expected a picture's name to end in .svg or .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".svg":
        path.write_text(draw_overlays(overlays, columns).file(), encoding="utf-8")
    else:
        path.write_bytes(_png(_sheet(overlays, columns)))
    return path


def shaded(overlay: Overlay) -> Image.Image:
    """Return one image in colour, or in grey under the colours of its weights."""
    image = Image.fromarray(overlay.image)
    if overlay.weights is None:
        return image.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.NEAREST))
    wide = Image.fromarray(overlay.weights.astype(np.float32)).resize(
        (_SIDE, _SIDE), Image.Resampling.BILINEAR
    )
    weights = np.asarray(wide, dtype=np.float64)
    shares = weights / max(weights.max(), np.finfo(np.float64).tiny)
    colour = np.stack([np.interp(shares, _STOPS, channel) for channel in _CHANNELS], -1)
    cover = _OPACITY * shares[..., None]
    mixed = (1 - cover) * grey[..., None] + cover * colour
    return Image.fromarray(mixed.round().astype(np.uint8))


def _sheet(overlays: Sequence[Overlay], columns: int) -> Image.Image:
    places, size = _places(len(overlays), columns)
    margin = round(MARGIN)
    sheet = Image.new(
        "RGB", (round(size[0]) + 2 * margin, round(size[1]) + 2 * margin), LIGHT["paper"]
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    for one, (x, y) in zip(overlays, places, strict=True):
        sheet.paste(shaded(one), (margin + round(x), margin + round(y)))
        words = shorten(one.title, _LONGEST)
        pen.text((margin + x, margin + y - _HEAD + 2), words, fill=LIGHT["ink"], font=font)
    return sheet


def _places(count: int, columns: int) -> tuple[list[Point], Point]:
    """Return where each image begins, and the size of all."""
    across = max(1, min(columns, count))
    step, tall = _SIDE + _GAP, _HEAD + _SIDE + _GAP
    places: list[Point] = [(i % across * step, i // across * tall + _HEAD) for i in range(count)]
    return places, (across * step - _GAP, -(-count // across) * tall - _GAP)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png", optimize=True)
    return buffer.getvalue()
