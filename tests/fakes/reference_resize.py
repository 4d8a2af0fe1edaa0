"""The rule for pixels, version 1, as slow and plain as it can be said: one number at a time.

Shares nothing with what it judges.
"""

from typing import Any

import numpy as np

ONE = 1 << 22
REACH = {"bilinear": 1.0, "bicubic": 2.0}


def kernel(x: float, interpolation: str) -> float:
    x = abs(x)
    if interpolation == "bilinear":
        return 1.0 - x if x < 1.0 else 0.0
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * -0.5 if x < 2.0 else 0.0


def taps(size: int, resized: int, position: int, interpolation: str) -> tuple[int, list[int]]:
    """Return where one position's pixels begin, and the integer weight of each."""
    scale = size / resized
    widened = max(scale, 1.0)
    reach = REACH[interpolation] * widened
    centre = (position + 0.5) * scale
    first = max(0, int(centre - reach + 0.5))
    last = min(size, int(centre + reach + 0.5))
    values = [
        kernel((at - centre + 0.5) * (1.0 / widened), interpolation) for at in range(first, last)
    ]
    total = 0.0
    for value in values:
        total += value
    shares = [value / total for value in values]
    return first, [int(share * ONE + (-0.5 if share < 0 else 0.5)) for share in shares]


def resize_rows(pixels: np.ndarray, resized: int, interpolation: str) -> np.ndarray:
    """Resize the first axis of `[H, W, 3]`, 8 bits to 8 bits."""
    made = np.empty((resized, *pixels.shape[1:]), np.uint8)
    for position in range(resized):
        first, weights = taps(len(pixels), resized, position, interpolation)
        part = pixels[first : first + len(weights)].astype(np.int64)
        total = np.tensordot(np.array(weights, np.int64), part, 1) + ONE // 2
        made[position] = (total >> 22).clip(0, 255)
    return made


def resize_columns(pixels: np.ndarray, resized: int, interpolation: str) -> np.ndarray:
    return resize_rows(pixels.swapaxes(0, 1), resized, interpolation).swapaxes(0, 1)


def resized_size(width: int, height: int, rule: Any) -> tuple[int, int]:
    side = rule.resize_size
    if rule.resize == "squash":
        return side, side
    shorter = min(width, height)
    return int(side * width / shorter), int(side * height / shorter)


def crop_of(pixels: np.ndarray, rule: Any) -> np.ndarray:
    """Return the crop of an RGB image `[H, W, 3]`."""
    height, width, _ = pixels.shape
    to_width, to_height = resized_size(width, height, rule)
    lost_height, lost_width = height - to_height, width - to_width
    how = rule.interpolation
    if lost_height > 0 and lost_height > 2 * lost_width:
        made = resize_columns(resize_rows(pixels, to_height, how), to_width, how)
    else:
        made = resize_rows(resize_columns(pixels, to_width, how), to_height, how)
    return centre_of(made, rule.crop)


def centre_of(pixels: np.ndarray, crop: int) -> np.ndarray:
    for axis in (0, 1):
        size = pixels.shape[axis]
        missing = max(0, crop - size)
        before = missing // 2
        padding = [(0, 0)] * 3
        padding[axis] = (before, missing - before)
        start = round((size - crop) / 2) if size >= crop else 0
        pixels = np.pad(pixels.take(range(start, min(size, start + crop)), axis), padding)
    return pixels


def pixels_of(crop: np.ndarray, rule: Any) -> np.ndarray:
    """Return what the backbone gets, `[3, H, W]` in float32."""
    mean, std = np.float32(rule.mean), np.float32(rule.std)
    return ((crop.astype(np.float32) / np.float32(255) - mean) / std).transpose(2, 0, 1)
