"""Many images looked at in parallel: which cannot be read, and what their bytes are."""

import hashlib
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from adapters.errors import BadImage
from adapters.images.decode import FORMATS, decode_image
from trainer.data.images.image_file import ImageFile

_Found = TypeVar("_Found")
Look = Callable[[ImageFile], str | None]
"""Says why an image cannot be read; None when it can."""

_TOGETHER = 256
"""Files per piece of work: a million of them must not wait in a queue one by one."""


def unreadable(images: Sequence[ImageFile], look: Look) -> list[tuple[ImageFile, str]]:
    """Return the images that cannot be read, each with the reason, in the order of `images`."""
    faults = zip(images, _look_at_all(images, look), strict=True)
    return [(image, why) for image, why in faults if why is not None]


def content_digests(images: Sequence[ImageFile]) -> list[str]:
    """Return the sha256 of each image's bytes, in hex."""
    return _look_at_all(images, lambda image: hashlib.sha256(image.read_bytes()).hexdigest())


def decoding_fault(image: ImageFile) -> str | None:
    """Decode the whole image, as training and serving will."""
    try:
        decode_image(image.read_bytes())
    except (BadImage, OSError) as error:
        return str(error)
    return None


def header_fault(image: ImageFile) -> str | None:
    """Read the header only: much faster, and blind to what is damaged behind it."""
    try:
        if isinstance(image, Path) and image.stat().st_size == 0:
            return "the file is empty"
        opened = image if isinstance(image, Path) else io.BytesIO(image.read_bytes())
        with Image.open(opened, formats=FORMATS):
            return None
    except UnidentifiedImageError:
        return "the header is not that of a JPEG, PNG or WebP"
    except Exception as error:  # Pillow raises nearly anything on damaged headers
        return f"the header cannot be read ({error})"


def _look_at_all(images: Sequence[ImageFile], look: Callable[[ImageFile], _Found]) -> list[_Found]:
    pieces = [images[i : i + _TOGETHER] for i in range(0, len(images), _TOGETHER)]
    with ThreadPoolExecutor() as pool:
        return list(chain.from_iterable(pool.map(lambda piece: [*map(look, piece)], pieces)))
