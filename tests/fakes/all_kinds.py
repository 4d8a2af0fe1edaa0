"""Images of every kind and shape that is taken, encoded; the same number gives the same image."""

import io
import random

import numpy as np
from PIL import Image

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.decode import MAX_ASPECT

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "L", "RGBA", "LA", "P", "1", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "PPM": ("RGB",),
}
LARGE_EVERY = 100
ORIENTATION = 0x0112


def image_of(number: int) -> bytes:
    """Return an encoded image: any kind, upright or turned by its EXIF, 1 to 2000 pixels wide."""
    dice = random.Random(number)
    kind = dice.choice(sorted(MODES))
    size = _size(dice, 2000 if number % LARGE_EVERY == 0 else 300)
    image = _picture(dice, size, dice.choice(MODES[kind]))
    out = io.BytesIO()
    exif = Image.Exif()
    exif[ORIENTATION] = dice.randint(1, 8)
    options = {
        "JPEG": {"quality": dice.randint(30, 95), "exif": exif, "progressive": number % 2 == 0},
        "PNG": {"exif": exif, "compress_level": 1},
        "WEBP": {"exif": exif, "lossless": number % 2 == 0, "method": 0, "quality": 10},
        "PPM": {},
    }
    image.save(out, kind, **options[kind])
    return out.getvalue()


def rule_of(number: int, crop: int) -> Preprocessing:
    """Return one of the rules that there are."""
    dice = random.Random(-number - 1)
    size = dice.choice([crop, crop, dice.randint(crop, 2 * crop), dice.randint(crop // 2, crop)])
    return Preprocessing(
        resize=dice.choice(["squash", "shorter"]),
        resize_size=size,
        crop=crop,
        interpolation=dice.choice(["bicubic", "bilinear"]),
        **IMAGENET,
    )


def _size(dice: random.Random, most: int) -> tuple[int, int]:
    """Return width and height: any two numbers, a sliver, or what the rule leaves as it is."""
    side = round(most ** dice.random())
    other = dice.choice(
        [round(most ** dice.random()), side * MAX_ASPECT, side * dice.randint(1, MAX_ASPECT), side]
    )
    other = min(max(other, -(-side // MAX_ASPECT)), side * MAX_ASPECT, most)
    return (side, other) if dice.random() < 0.5 else (other, side)


def _picture(dice: random.Random, size: tuple[int, int], mode: str) -> Image.Image:
    """Return noise, a smooth picture, or hard edges, which let a resize overshoot."""
    random_state = np.random.default_rng(dice.randint(0, 1 << 30))
    grid = dice.choice([size, (4, 3), (16, 16)])
    shape = (min(grid[1], size[1]), min(grid[0], size[0]), 4)
    values = random_state.integers(0, 256, shape, np.uint8)
    if dice.random() < 0.3:
        values = np.where(values < 128, 0, 255).astype(np.uint8)
    if mode == "I;16":
        grey = values[..., 0].astype(np.uint16) * 257
        return Image.fromarray(grey).resize(size, Image.Resampling.NEAREST)
    if mode == "CMYK":
        return Image.fromarray(values, "CMYK").resize(size)
    return Image.fromarray(values, "RGBA").resize(size).convert(mode)
