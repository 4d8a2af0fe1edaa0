"""Bytes of a JPEG, PNG, WebP or PPM to one upright 8-bit RGB image, or a reason why not.

Every pixel must be there; metadata never decide. Knows nothing of tasks, rules or tensors.
"""

import io
import warnings
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from adapters.artifact.preprocessing import ImageLimits
from adapters.errors import BadImage, ImageTooLarge, SptError
from adapters.images import jpeg, png, ppm, webp
from adapters.images.formats import other_format, taken_format
from adapters.images.plain_jpeg import Pixels, decode_plain
from adapters.images.rgb import strips, to_rgb, turn_of, upright

FORMATS: Final = ("JPEG", "PNG", "WEBP")
MAX_ASPECT: Final = 50
"""Longest side over shortest side; beyond it a resize of the shorter side explodes."""

_BYTES_PER_PIXEL: Final = 16
"""What decoding takes at its peak: the image, its turned or converted copy, and coefficients."""

OWN_LIMITS: Final = ImageLimits(max_pixels=50_000_000)
"""Of images that are the caller's own, as in training; a service has its settings."""

Size = tuple[int, int]
"""Width and height, in pixels."""

Reserve = Callable[[Size], object]

Needed = Callable[[Size], Size]

Prepare = Callable[[Image.Image], None]
"""What is done with an image that is opened, and not loaded yet."""

_Made = TypeVar("_Made")

_Finish = Callable[[Image.Image, Pixels | None], _Made]
"""Makes something of an image: of one that is loaded, or opened, with its pixels as they lie."""

# once, for the whole process: a filter that is set and taken back in threads stays in the end.
# Pillow warns of bombs and of broken EXIF, and both are decided here
warnings.filterwarnings("ignore", module=r"PIL\.")
Image.MAX_IMAGE_PIXELS = None


def decode_image(
    data: bytes,
    limits: ImageLimits = OWN_LIMITS,
    reserve: Reserve = lambda _: None,
    needed: Needed = lambda size: size,
) -> Image.Image:
    """Decode bytes into an upright 8-bit RGB image.

    EXIF rotation is applied; of an animation the first frame counts; transparency is laid on
    white; 16-bit greys are scaled to 8 bits; CMYK, palette and grey images become RGB. A JPEG
    without its end, and a PNG or WebP whose metadata are broken or huge, are taken, if every pixel
    is there.

    Args:
        data: the file.
        limits: what it may cost.
        reserve: told the image's size, before any memory is taken for its pixels.
        needed: from the image's size, the least that is needed of it. A JPEG is decoded at half, a
            quarter or an eighth of its resolution, where that is enough; its pixels are others.

    Raises:
        ImageTooLarge: more bytes, pixels, scans or chunks than the limits, or a side 50 times the
            other.
        BadImage: empty, truncated, not an image, or not one of JPEG, PNG, WebP and PPM.
    """
    return _decode(data, limits, partial(_prepare, needed), reserve, _to_image)


def decode_pixels(
    data: bytes, limits: ImageLimits = OWN_LIMITS, reserve: Reserve = lambda _: None
) -> Pixels:
    """Return the image's numbers, else as `decode_image`; most JPEGs are never Pillow's then."""
    return _decode(data, limits, lambda _: None, reserve, _to_pixels)


def decoding_bytes(size: Size) -> int:
    """Return how many bytes of memory decoding an image of this size takes."""
    width, height = size
    return width * height * _BYTES_PER_PIXEL


def _decode(
    data: bytes,
    limits: ImageLimits,
    prepare: Prepare,
    reserve: Reserve,
    finish: _Finish[_Made],
) -> _Made:
    _check_bytes(data, limits)

    def admit(size: Size) -> None:
        _check_size(size, limits)
        reserve(size)

    def admit_opened(image: Image.Image) -> None:
        admit(image.size)
        prepare(image)

    try:
        if data.startswith(ppm.START):
            return finish(ppm.read_ppm(data, admit), None)
        _check_structure(data)
        return finish(*_load_whole(data, admit_opened))
    except SptError:
        raise
    except UnidentifiedImageError as error:
        raise BadImage(_unknown(data)) from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        raise BadImage(f"the image is damaged or truncated ({error}); send it again") from error


def _to_image(opened: Image.Image, plain: Pixels | None) -> Image.Image:
    if plain is None:
        return to_rgb(upright(opened))
    image, turn = Image.fromarray(plain), turn_of(opened)
    return image if turn is None else image.transpose(turn)


def _to_pixels(opened: Image.Image, plain: Pixels | None) -> Pixels:
    if plain is None or turn_of(opened) is not None:
        return np.asarray(_to_image(opened, plain))
    return plain


def _prepare(needed: Needed, image: Image.Image) -> None:
    if (least := needed(image.size)) != image.size:
        image.draft(None, least)


def _load_whole(data: bytes, prepare: Prepare) -> tuple[Image.Image, Pixels | None]:
    """Load an image, also one that lacks what none of its pixels depends on."""
    try:
        image = _open(data, prepare)
        plain = decode_plain(data, image)
        if plain is None:
            image.load()
    except SptError:
        raise
    except Exception:
        if data.startswith(jpeg.START):
            found = _load_without_end(data, prepare)
        else:
            bare = _without_metadata(data)
            found = None if bare is None else _load(bare, prepare)
        if found is None:
            raise
        return found, None
    return image, plain


def _without_metadata(data: bytes) -> bytes | None:
    if data.startswith(png.START):
        return png.without_metadata(data)
    return webp.without_metadata(data) if taken_format(data) == "WebP" else None


def _load_without_end(data: bytes, prepare: Prepare) -> Image.Image | None:
    found = None
    for ended in jpeg.endings(data):
        other = _load(ended, prepare)
        if found is not None and not _are_same(found, other):
            return None
        found = other
    return found


def _are_same(one: Image.Image, other: Image.Image) -> bool:
    parts = zip(strips(one), strips(other), strict=True)
    return all(a.tobytes() == b.tobytes() for (_, a), (_, b) in parts)


def _load(data: bytes, prepare: Prepare) -> Image.Image:
    image = _open(data, prepare)
    image.load()
    return image


def _open(data: bytes, prepare: Prepare) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    prepare(image)
    return image


def _unknown(data: bytes) -> str:
    if name := taken_format(data):
        return f"the {name} is damaged, or of a kind that we cannot decode; save it again"
    if name := other_format(data):
        return f"the image is {name}, expected JPEG, PNG or WebP; convert it"
    return (
        f"the {len(data):,} bytes are not an image: expected JPEG, PNG or WebP, found bytes that "
        f"start with {data[:8]!r}"
    )


def _check_bytes(data: bytes, limits: ImageLimits) -> None:
    if not data:
        raise BadImage("the image is empty: expected the bytes of a JPEG, PNG or WebP, found none")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"the image has {len(data):,} bytes, the limit is {limits.max_bytes:,}; "
            "send a smaller one"
        )


def _check_structure(data: bytes) -> None:
    """Refuse what takes far more time than its bytes and pixels let expect."""
    if data.startswith(jpeg.START):
        jpeg.check_scans(data)
    elif data.startswith(png.START):
        png.check_chunks(data)


def _check_size(size: Size, limits: ImageLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"the image is {width}x{height} pixels, the limit is {limits.max_pixels:,} in all; "
            "send a smaller one"
        )
    if max(size) > MAX_ASPECT * min(size):
        raise ImageTooLarge(
            f"the image is {width}x{height} pixels: one side is more than {MAX_ASPECT} times "
            "the other; crop it"
        )
