"""Images to the square 8-bit crops of a rule, on the host; where a crop lies, for every device.

Each axis is resized by itself, in the rule's order: Pillow's own order for both at once differs
between its versions. Without torch.
Axis letters: H W pixels.
"""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from adapters.artifact.preprocessing import ImageLimits, Preprocessing
from adapters.images.decode import OWN_LIMITS, Reserve, Size, decode_image, decode_pixels
from adapters.images.weights import Axis

_BYTES_PER_PIXEL: Final = 4
"""Of an RGB image in Pillow."""

_INTERPOLATION: Final = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


class Picture(NamedTuple):
    """One upright RGB image of 8 bits, on the host.

    Attributes:
        pixels: its crop by a rule, or all of it.
        is_whole: whether it is left to a device to crop.
    """

    pixels: UInt8[np.ndarray, "H W 3"]
    is_whole: bool


class Plan(NamedTuple):
    """Where a rule's crop lies in an image, and which axis is resized first."""

    horizontal: Axis
    vertical: Axis
    vertical_first: bool


def plan_crop(size: Size, preprocessing: Preprocessing) -> Plan:
    """Return how a rule crops an image of this size."""
    width, height = resized(size, preprocessing)
    crop = preprocessing.crop
    horizontal = Axis(size[0], width, _start(width, crop), crop)
    vertical = Axis(size[1], height, _start(height, crop), crop)
    return Plan(horizontal, vertical, _is_vertical_first(size, (width, height)))


def decode_by_rule(
    data: bytes,
    preprocessing: Preprocessing,
    limits: ImageLimits = OWN_LIMITS,
    reserve: Reserve = lambda _: None,
) -> Image.Image:
    """Decode bytes with the rule's decoder; else as `decode_image`, and with its errors."""
    if preprocessing.decoder == "draft":
        return decode_image(data, limits, reserve, lambda size: resized(size, preprocessing))
    return decode_image(data, limits, reserve)


def pixels_by_rule(
    data: bytes,
    preprocessing: Preprocessing,
    limits: ImageLimits = OWN_LIMITS,
    reserve: Reserve = lambda _: None,
) -> UInt8[np.ndarray, "H W 3"]:
    """Do the same for who wants all of the image's numbers."""
    if preprocessing.decoder == "draft":
        return np.asarray(decode_by_rule(data, preprocessing, limits, reserve))
    return decode_pixels(data, limits, reserve)


def crop_centre(image: Image.Image, preprocessing: Preprocessing) -> UInt8[np.ndarray, "H W 3"]:
    """Resize an RGB image by the rule, and cut the centre (H = W = `preprocessing.crop`).

    A side that is too short is padded with black. Each axis is cut as soon as it is resized: what
    is outside would be resized along the other one for nothing.
    """
    plan = plan_crop(image.size, preprocessing)
    how = _INTERPOLATION[preprocessing.interpolation]
    if plan.vertical_first:
        made = _columns(_rows(image, plan.vertical, how), plan.horizontal, how)
    else:
        made = _rows(_columns(image, plan.horizontal, how), plan.vertical, how)
    return np.asarray(made)


def resizing_bytes(size: Size, preprocessing: Preprocessing) -> int:
    """Return how many bytes of memory resizing an image of this size takes, held either way.

    A sliver takes far more than its own pixels: its shorter side decides, and the longer follows.
    """
    width, height = resized(size, preprocessing)
    between = max(width * size[1], height * size[0])  # one side is resized after the other
    return (width * height + between) * _BYTES_PER_PIXEL


def resized(size: Size, preprocessing: Preprocessing) -> Size:
    """Return the width and height that the rule gives an image of this size."""
    side, (width, height) = preprocessing.resize_size, size
    if preprocessing.resize == "squash":
        return side, side
    if width <= height:
        return side, int(side * height / width)
    return int(side * width / height), side


def _columns(image: Image.Image, axis: Axis, how: Image.Resampling) -> Image.Image:
    image = _resize(image, (axis.resized, image.height), how)
    end = axis.start + axis.length
    return image if axis.is_whole else image.crop((axis.start, 0, end, image.height))


def _rows(image: Image.Image, axis: Axis, how: Image.Resampling) -> Image.Image:
    image = _resize(image, (image.width, axis.resized), how)
    end = axis.start + axis.length
    return image if axis.is_whole else image.crop((0, axis.start, image.width, end))


def _resize(image: Image.Image, size: Size, how: Image.Resampling) -> Image.Image:
    return image if size == image.size else image.resize(size, how)


def _is_vertical_first(size: Size, to: Size) -> bool:
    """Whether the height shrinks, and by more than twice as many pixels as the width."""
    return size[1] - to[1] > max(0, 2 * (size[0] - to[0]))


def _start(side: int, crop: int) -> int:
    """Where the crop starts; half pixels go where torchvision lets them go."""
    return round((side - crop) / 2) if side >= crop else -((crop - side) // 2)
