"""Upright RGB images to pixels, the same code for training and serving.

`to_pixels` resizes, crops and normalises what `adapters.images.decode` has made of the bytes. Knows
nothing of tasks or tensors' later life.
Axis letters: B batch, H W pixels.
"""

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor

from adapters.artifact.preprocessing import Preprocessing

_BYTES_PER_PIXEL = 4
"""Of an RGB image in Pillow."""

_INTERPOLATION = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def to_pixels(image: Image.Image, preprocessing: Preprocessing) -> Float32[Tensor, "3 H W"]:
    """Resize, centre-crop and normalise an RGB image (H = W = `preprocessing.crop`)."""
    return normalise(np.asarray(crop_centre(image, preprocessing)), preprocessing)


def normalise(
    crop: UInt8[np.ndarray, "H W 3"], preprocessing: Preprocessing
) -> Float32[Tensor, "3 H W"]:
    """Turn 8-bit pixels into the backbone's input: `(x / 255 - mean) / std` per channel.

    Channels come first before any arithmetic, and every step is done in place: four times as fast
    as the formula in one line, with the same floats bit by bit.
    """
    mean, std = np.array([preprocessing.mean, preprocessing.std], np.float32)[..., None, None]
    pixels = crop.transpose(2, 0, 1).astype(np.float32, order="C")
    pixels /= np.float32(255)
    pixels -= mean
    pixels /= std
    return torch.from_numpy(pixels)


def normalise_batch(
    crops: UInt8[Tensor, "B H W 3"], preprocessing: Preprocessing
) -> Float32[Tensor, "B 3 H W"]:
    """Do the same to many crops at once, where they are, with the same floats bit by bit.

    The divisors are tensors: by a plain number, CUDA would multiply by the reciprocal.
    """
    rule = torch.tensor([preprocessing.mean, preprocessing.std], device=crops.device)
    mean, std = rule[..., None, None]
    pixels = crops.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    return pixels.div_(pixels.new_tensor([255.0])).sub_(mean).div_(std)


def crop_centre(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """Resize by the rule, then cut the centre; a side that is too short is padded with black."""
    crop, (width, height) = preprocessing.crop, _resized(image.size, preprocessing)
    if (width, height) != image.size:
        image = image.resize((width, height), _INTERPOLATION[preprocessing.interpolation])
    left, top = _start(width, crop), _start(height, crop)
    return image.crop((left, top, left + crop, top + crop))


def resizing_bytes(size: tuple[int, int], preprocessing: Preprocessing) -> int:
    """Return how many bytes of memory resizing an image of this size takes, held either way.

    A sliver takes far more than its own pixels: its shorter side decides, and the longer follows.
    """
    width, height = _resized(size, preprocessing)
    between = max(width * size[1], height * size[0])  # one side is resized after the other
    return (width * height + between) * _BYTES_PER_PIXEL


def _resized(size: tuple[int, int], preprocessing: Preprocessing) -> tuple[int, int]:
    """Return the width and height that the rule gives an image of this size."""
    side, (width, height) = preprocessing.resize_size, size
    if preprocessing.resize == "squash":
        return side, side
    if width <= height:
        return side, int(side * height / width)
    return int(side * width / height), side


def _start(side: int, crop: int) -> int:
    """Where the crop starts; half pixels go where torchvision lets them go."""
    return round((side - crop) / 2) if side >= crop else -((crop - side) // 2)
