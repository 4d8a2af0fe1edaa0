"""Pixels and refusals are Pillow's, whoever decodes a JPEG; what is plain is not Pillow's work."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from adapters.errors import BadImage, ImageTooLarge
from adapters.images import decode
from adapters.images.decode import decode_image, decode_pixels
from tests.fakes import hostile

SAMPLINGS = ("444", "422", "420", "440", "411", "Gray")
SAVED: tuple[dict[str, Any], ...] = (
    {"quality": 30},
    {"quality": 95, "subsampling": 0},
    {"optimize": True},
    {"restart_marker_blocks": 3},
    {"progressive": True},
    {"keep_rgb": True},
)
ALIKE = 100
"""Images of one group of a test."""


def picture(random: np.random.Generator) -> Image.Image:
    width, height = (int(side) for side in random.integers(1, 70, 2))
    coarse = random.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height)), np.float32)
    grainy = smooth + random.normal(0, 12, smooth.shape)
    return Image.fromarray(grainy.clip(0, 255).astype(np.uint8))


def jpeg(seed: int) -> bytes:
    """Return a JPEG of any sampling, size, kind, mode and turn."""
    random = np.random.default_rng(seed)
    image = picture(random)
    if random.random() < 0.4:
        sampling = SAMPLINGS[seed % len(SAMPLINGS)]
        pixels = np.ascontiguousarray(image)
        if sampling == "Gray":
            return simplejpeg.encode_jpeg(pixels[:, :, :1].copy(), colorspace="Gray")
        return simplejpeg.encode_jpeg(pixels, colorsubsampling=sampling)
    exif = Image.Exif()
    exif[0x0112] = int(random.integers(0, 10))
    mode = str(random.choice(["RGB", "RGB", "RGB", "L", "CMYK"]))
    file = io.BytesIO()
    image.convert(mode).save(file, "JPEG", exif=exif, **SAVED[seed % len(SAVED)])
    return file.getvalue()


def damaged(seed: int) -> bytes:
    """Return a JPEG with bytes that are other ones, too many, or missing."""
    random = np.random.default_rng(seed)
    data = bytearray(jpeg(int(random.integers(200))))
    for _ in range(int(random.integers(1, 4))):
        at = int(random.integers(2, len(data)))
        match seed % 4:
            case 0:
                data[at] = int(random.integers(256))
            case 1:
                del data[at : at + int(random.integers(1, 40))]
            case 2:
                data[at:at] = random.bytes(int(random.integers(1, 20)))
            case 3:
                data[at : at + 1] = b"\xff" + random.bytes(1)
    return bytes(data)


def outcome(way: Callable[[bytes], Any], data: bytes) -> object:
    try:
        made = np.asarray(way(data))
    except (BadImage, ImageTooLarge) as error:
        return repr(error)
    return made.shape, made.tobytes()


def check(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [outcome(way, data) for way in (decode_image, decode_pixels)]
    with monkeypatch.context() as patch:
        patch.setattr(decode, "decode_plain", lambda *_: None)
        expected = outcome(decode_image, data)
    assert found == [expected, expected]


@pytest.mark.parametrize("start", range(0, 1000, ALIKE))
def test_pixels_of_1000_jpegs_are_those_of_pillow(
    start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(start, start + ALIKE):
        check(jpeg(seed), monkeypatch)


@pytest.mark.parametrize("start", range(0, 1000, ALIKE))
def test_what_becomes_of_damaged_jpegs_is_what_pillow_makes_of_them(
    start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(start, start + ALIKE):
        check(damaged(seed), monkeypatch)


@pytest.mark.parametrize("sampling", [one for one in SAMPLINGS if one != "Gray"])
@pytest.mark.parametrize("way", [decode_image, decode_pixels])
def test_pillow_does_not_decode_a_plain_jpeg(
    way: Callable[[bytes], Any], sampling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = simplejpeg.encode_jpeg(np.asarray(hostile.photo()), colorsubsampling=sampling)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("it did"))
    assert np.asarray(way(data)).shape == np.asarray(hostile.photo()).shape


def test_a_second_size_inside_of_a_jpeg_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    data = hostile.jpeg(hostile.photo(48, 24))
    at = data.index(b"\xff\xc0")
    frame = data[at : at + 19]
    huge = frame[:5] + b"\xf0\x00\xf0\x00" + frame[9:]
    for first, second in ((huge, frame), (frame, huge)):
        check(data[:at] + first + second + data[at + 19 :], monkeypatch)
