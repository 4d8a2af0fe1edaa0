"""JPEG decoders side by side, each with the resize that comes with it.

All end in the same 8-bit square crop, so that pixels can be compared, and in our normalisation.
"""

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import crop_centre
from adapters.images.decode import decode_pixels

SIDE = 224
RULE = Preprocessing(
    resize="squash", resize_size=SIDE, crop=SIDE, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
)


@dataclass(frozen=True)
class JpegDecoder:
    """One way from a JPEG file to the square crop.

    Attributes:
        decode: bytes to the decoder's own image.
        pixels: its image as RGB numbers, [H, W, 3].
        crop: its image as the resized crop, [224, 224, 3], 8 bits.
    """

    decode: Callable[[bytes], Any]
    pixels: Callable[[Any], np.ndarray]
    crop: Callable[[Any], np.ndarray]


def ours() -> JpegDecoder:
    """Checks, Pillow's header and turn, simplejpeg's pixels, and Pillow's resize."""
    return JpegDecoder(decode_pixels, np.asarray, _crop_with_pillow)


def pillow() -> JpegDecoder:
    """Pillow alone, without our checks."""

    def decode(data: bytes) -> Image.Image:
        image = Image.open(io.BytesIO(data))
        image.load()
        return image

    return JpegDecoder(decode, np.asarray, _crop_with_pillow)


def simplejpeg() -> JpegDecoder:
    """libjpeg-turbo without an image library around it; it brings no resize, so Pillow's."""
    module = importlib.import_module("simplejpeg")
    return JpegDecoder(module.decode_jpeg, np.asarray, _crop_with_pillow)


def torchvision() -> JpegDecoder:
    """Tensors all the way; its resize of 8-bit tensors is not Pillow's."""
    io_module = importlib.import_module("torchvision.io")
    functional = importlib.import_module("torchvision.transforms.v2.functional")
    torch = importlib.import_module("torch")
    bicubic = functional.InterpolationMode.BICUBIC

    def decode(data: bytes) -> Any:
        encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        return io_module.decode_jpeg(encoded, mode=io_module.ImageReadMode.RGB)

    def crop(image: Any) -> np.ndarray:
        return pixels(functional.resize(image, [SIDE, SIDE], bicubic, antialias=True))

    def pixels(image: Any) -> np.ndarray:
        return image.permute(1, 2, 0).numpy()

    return JpegDecoder(decode, pixels, crop)


def opencv() -> JpegDecoder:
    """Its resize that averages when it shrinks; its bicubic one does not."""
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(1)

    def decode(data: bytes) -> np.ndarray:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def crop(image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)

    return JpegDecoder(decode, np.asarray, crop)


DECODERS = {
    "ours": ours,
    "Pillow": pillow,
    "simplejpeg": simplejpeg,
    "torchvision": torchvision,
    "OpenCV": opencv,
}


def installed() -> tuple[dict[str, JpegDecoder], list[str]]:
    """Return the decoders that are here, and the names of those that are not."""
    here, missing = {}, []
    for name, build in DECODERS.items():
        try:
            here[name] = build()
        except ImportError:
            missing.append(name)
    return here, missing


def _crop_with_pillow(image: Image.Image | np.ndarray) -> np.ndarray:
    whole = image if isinstance(image, Image.Image) else Image.fromarray(image)
    return crop_centre(whole, RULE)
