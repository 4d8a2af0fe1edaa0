"""JPEGs of one pass in usual colours, decoded by simplejpeg: Pillow's pixels, in less time.

What is damaged or odd in any way is left to Pillow, and so is what to say of it.
"""

import numpy as np
import simplejpeg
from jaxtyping import UInt8
from PIL import Image, JpegImagePlugin

Pixels = UInt8[np.ndarray, "_ _ 3"]


def decode_plain(data: bytes, opened: Image.Image) -> Pixels | None:
    """Return the pixels as they lie in the file; None if Pillow is to decode it.

    Args:
        data: the file.
        opened: the same, as Pillow has opened it, not loaded yet; its size is all that is decoded.
    """
    if not _is_plain(opened):
        return None
    pixels = np.empty((opened.height, opened.width, 3), np.uint8)
    try:  # strict: what libjpeg only warns of is an error
        decoded = simplejpeg.decode_jpeg(data, "RGB", buffer=pixels)
    except ValueError:
        return None
    return pixels if decoded.shape == pixels.shape else None


def _is_plain(opened: Image.Image) -> bool:
    return (
        isinstance(opened, JpegImagePlugin.JpegImageFile)
        and opened.format == "JPEG"  # and not several in one file
        and opened.mode == "RGB"
        and "progressive" not in opened.info
        and not opened.decoderconfig  # of a draft
    )
