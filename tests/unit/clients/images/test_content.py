"""What may be called an image, and that the service sees the same pixels in all of them."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from adapters.images.decode import decode_image
from clients.images import content
from clients.images.content import content_of, name_of

RNG = np.random.default_rng(0)


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(decode_image(data))


def picture(mode: str, size: tuple[int, int] = (6, 4)) -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands) if bands > 1 else (size[1], size[0])
    return Image.frombytes(mode, size, RNG.integers(0, 256, shape, np.uint8).tobytes())


def as_file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_travel_as_they_are(kind):
    assert content_of(kind(b"an image")) == b"an image"


def test_an_open_file_is_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"an image")
    with (tmp_path / "a.jpg").open("rb") as file:
        assert content_of(file) == b"an image"
    with (tmp_path / "a.jpg").open() as file, pytest.raises(ValueError, match="mode 'rb'"):
        content_of(file)


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P"])
def test_a_picture_has_the_pixels_of_its_file(mode):
    image = picture(mode)
    np.testing.assert_array_equal(pixels_of(content_of(image)), pixels_of(as_file(image)))


def test_a_picture_in_cmyk_is_sent_as_it_looks():
    image = picture("CMYK")
    np.testing.assert_array_equal(pixels_of(content_of(image)), np.asarray(image.convert("RGB")))


def test_a_picture_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = as_file(picture("RGB"), exif=exif)
    np.testing.assert_array_equal(
        pixels_of(content_of(Image.open(io.BytesIO(data)))), pixels_of(data)
    )


@pytest.mark.parametrize("of", [np.asarray, Image.fromarray])
def test_many_pixels_are_encoded_and_stay_the_same(monkeypatch, of):
    monkeypatch.setattr(content, "RAW_BYTES", 10)
    array = RNG.integers(0, 256, (4, 6, 3), np.uint8)
    data = content_of(of(array))
    assert data.startswith(b"\x89PNG")
    np.testing.assert_array_equal(pixels_of(data), array)


def test_without_pillow_many_pixels_say_what_to_install(monkeypatch):
    monkeypatch.setattr(content, "RAW_BYTES", 10)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ValueError, match=r"6x4 pixels is too large .* install pillow"):
        content_of(np.zeros((4, 6, 3), np.uint8))


def test_names_are_paths_addresses_or_places(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    with (tmp_path / "a.jpg").open("rb") as file:
        named = [tmp_path / "a.jpg", "http://x/y.jpg", file, b"x", np.zeros(1), io.BytesIO()]
        names = [name_of(image, index) for index, image in enumerate(named)]
    path = str(tmp_path / "a.jpg")
    assert names == [path, "http://x/y.jpg", path, "#3", "#4", "#5"]
