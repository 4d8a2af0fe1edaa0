"""What a caller may call an image, and the bytes that are sent for it.

Encoded images travel as they are. Pixels travel raw, as a PPM, where they are few enough: nobody
encodes or decodes them. More of them become a PNG, which Pillow makes.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, TypeGuard, runtime_checkable

RAW_BYTES: Final = 4_000_000
"""Of pixels that travel raw; the service takes 10 MB by default, and a network takes its time."""

_SCHEMES: Final = ("http://", "https://")
_EXPECTED: Final = "image: expected bytes, a path, or an array of uint8 [H, W, 3]"


class Pixels(Protocol):
    """An array of 8-bit RGB, `[H, W, 3]`, such as NumPy's."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Three numbers."""

    @property
    def dtype(self) -> object:
        """Its text is uint8."""

    def tobytes(self) -> bytes:
        """Return every byte, row by row."""


@runtime_checkable
class Readable(Protocol):
    """A file that is open for reading bytes."""

    def read(self) -> bytes:
        """Return what is left of it."""


@runtime_checkable
class Picture(Protocol):
    """An image of Pillow's."""

    @property
    def mode(self) -> str:
        """Such as RGB."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def tobytes(self) -> bytes:
        """Return every byte, row by row."""

    def convert(self, mode: str) -> "Picture":
        """Return it in another mode."""

    def save(self, place: Any, kind: str, **options: Any) -> None:
        """Encode it."""


Image = bytes | str | Path | Readable | Picture | Pixels
"""A file's bytes, its path, its http address, an open file, an image of Pillow's, or pixels."""


def is_url(image: object) -> TypeGuard[str]:
    """Return whether an image is named by an address, from which the client fetches it."""
    return isinstance(image, str) and image.lower().startswith(_SCHEMES)


def content_of(image: Image) -> bytes:
    """Return what is sent for an image that is here: everything but an address.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is nothing that can be an image.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    if isinstance(image, Picture):
        return _of_picture(image)
    if isinstance(image, Readable):
        return _of_file(image)
    return _of_pixels(image)


def name_of(image: object, index: int) -> str:
    """Return what people may call an image: its path, its address, or its place in the list.

    Args:
        image: of a list.
        index: its place, from 0.
    """
    if isinstance(image, str | Path):
        return str(image)
    name = getattr(image, "filename", None) or getattr(image, "name", None)
    return name if isinstance(name, str) and name else f"#{index}"


def _of_file(file: Readable) -> bytes:
    data = file.read()
    if not isinstance(data, bytes):
        raise ValueError(
            f"image: expected a file that is open for bytes, found one that reads "
            f"{type(data).__name__}; open it with mode 'rb'"
        )
    return data


def _of_picture(picture: Picture) -> bytes:
    """Return the picture upright, as the service turns a file whose EXIF says so."""
    from PIL import ImageOps  # noqa: PLC0415 (who has a picture has Pillow)

    given: Any = picture
    upright: Any = ImageOps.exif_transpose(given)
    if upright.mode == "RGB" and "transparency" not in upright.info:
        return _raw_or(upright.size, upright.tobytes, lambda: _as_png(upright))
    if upright.mode in {"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"}:
        return _as_png(upright)  # the service has its own rule for transparency and 16 bits
    return _as_png(upright.convert("RGB"))


def _of_pixels(pixels: Pixels) -> bytes:
    shape, dtype = (getattr(pixels, name, None) for name in ("shape", "dtype"))
    if shape is None or len(shape) != 3 or shape[2] != 3 or str(dtype) != "uint8":
        raise ValueError(
            f"{_EXPECTED}, found {type(pixels).__name__} of shape {shape} and type {dtype}"
        )
    height, width, _ = shape
    return _raw_or((width, height), pixels.tobytes, lambda: _png_of(pixels))


def _raw_or(size: tuple[int, int], raw: Callable[[], bytes], encoded: Callable[[], bytes]) -> bytes:
    """Return pixels raw, or encoded where they are many."""
    width, height = size
    if width * height * 3 > RAW_BYTES:
        return encoded()
    return b"P6 %d %d 255\n" % (width, height) + raw()


def _png_of(pixels: Pixels) -> bytes:
    try:
        from PIL import Image as Pillow  # noqa: PLC0415 (no part of the base installation)
    except ImportError as err:
        height, width, _ = pixels.shape
        raise ValueError(
            f"image: an array of {width}x{height} pixels is too large to travel raw, and Pillow, "
            "which would encode it, is not installed; install pillow, or send a smaller array"
        ) from err
    height, width, _ = pixels.shape
    return _as_png(Pillow.frombytes("RGB", (width, height), pixels.tobytes()))


def _as_png(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
