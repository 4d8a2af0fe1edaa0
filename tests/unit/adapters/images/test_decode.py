"""Every image that holds all its pixels is taken, none that does not, and each within bounds."""

import io
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adapters.artifact.preprocessing import ImageLimits
from adapters.errors import BadImage, ImageTooLarge
from adapters.images import jpeg, rgb
from adapters.images.decode import decode_image
from tests.fakes import hostile

END = b"\xff\xd9"
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "with restarts": {"restart_marker_blocks": 3},
    "progressive with restarts": {"progressive": True, "restart_marker_rows": 1},
    "without subsampling": {"subsampling": 0},
}
TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
TWELVE_BITS = hostile.jpeg(hostile.photo()).replace(
    b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c", 1
)
WRONG_HEADER = hostile.png(hostile.photo()).replace(b"IHDR\0\0\0", b"IHDR\0\0\1", 1)
MODES = ("RGB", "L", "CMYK")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_a_jpeg_without_its_end_is_taken_with_every_pixel(kind: str, mode: str) -> None:
    whole = hostile.jpeg(hostile.photo().convert(mode), **KINDS[kind])
    for cut in (1, 2):
        assert decode_image(whole[:-cut]).tobytes() == decode_image(whole).tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_a_jpeg_that_misses_pixels_is_refused_wherever_it_is_cut(kind: str, mode: str) -> None:
    small = hostile.photo(24, 24).convert(mode)  # two rows of two blocks at least, and few bytes
    whole = hostile.encoded(small, "JPEG", quality=60, **KINDS[kind])
    expected = decode_image(whole).tobytes()
    for cut in range(3, len(whole) // 2):
        try:
            found = decode_image(whole[:-cut]).tobytes()
        except BadImage:
            continue
        assert found == expected


@pytest.mark.parametrize("chunk", [b"tEXt", b"iTXt", b"eXIf", b"tIME", b"xYZw"])
def test_a_png_whose_metadata_have_a_wrong_checksum_is_taken_with_every_pixel(chunk: bytes) -> None:
    whole = hostile.png(hostile.photo())
    after_header = 8 + 25
    broken = len(b"a\0b").to_bytes(4, "big") + chunk + b"a\0b" + b"\0\0\0\0"
    data = whole[:after_header] + broken + whole[after_header:]
    assert decode_image(data).tobytes() == hostile.photo().tobytes()


def test_a_png_whose_text_is_huge_is_taken_with_every_pixel() -> None:
    whole, after_header = hostile.png(hostile.photo()), 8 + 25
    text = b"zTXtk\0\0" + zlib.compress(bytes(4 << 20))
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    data = whole[:after_header] + chunk + whole[after_header:]
    assert decode_image(data).tobytes() == hostile.photo().tobytes()


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("cut", [1, 2, 100])
def test_a_webp_that_is_cut_in_its_metadata_is_taken_with_every_pixel(
    lossless: bool, cut: int
) -> None:
    turned = {"exif": TURNED, "xmp": b"x" * 301, "icc_profile": b"y" * 300}
    whole = hostile.encoded(hostile.photo(), "WEBP", lossless=lossless, **turned)
    found = decode_image(whole[:-cut])
    assert found.size == hostile.photo().size[::-1]
    assert found.tobytes() == decode_image(whole).tobytes()


def test_a_webp_that_misses_pixels_is_refused() -> None:
    whole = hostile.encoded(hostile.photo(), "WEBP", xmp=b"x" * 300)
    for cut in range(320, len(whole) - 12, 50):
        with pytest.raises(BadImage):
            decode_image(whole[:-cut])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (hostile.encoded(hostile.photo(), "GIF"), "is GIF, expected JPEG, PNG or WebP; convert"),
        (hostile.encoded(hostile.photo(), "BMP"), "is BMP"),
        (hostile.encoded(hostile.photo(), "TIFF"), "is TIFF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "is HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0avifmif1" + bytes(99), "is AVIF"),
        (b"\xff\x0a" + bytes(99), "is JPEG XL"),
        (b"<?xml version='1.0'?><svg/>", "is SVG"),
        (TWELVE_BITS, "the JPEG is damaged, or of a kind that we cannot decode"),
        (WRONG_HEADER, "the PNG is damaged"),
        (b"RIFF\x10\0\0\0WEBP", "the WebP is damaged"),
        (b"BMW, Audi", "the 9 bytes are not an image"),
        (b"<html>", "found bytes that start with b'<html>'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_taken_is_refused_by_its_name(data: bytes, told: str) -> None:
    with pytest.raises(BadImage, match=told):
        decode_image(data)


def test_a_jpeg_of_many_scans_is_refused_before_its_pixels_are_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def explode(*_: object) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr("adapters.images.decode._load_whole", explode)
    with pytest.raises(ImageTooLarge, match="more than 100 scans"):
        decode_image(hostile.jpeg_of_many_scans(101))


def test_a_bomb_of_scans_costs_milliseconds() -> None:
    bomb = hostile.jpeg_of_many_scans(200_000)
    began = time.process_time()
    with pytest.raises(ImageTooLarge):
        decode_image(bomb)
    assert time.process_time() - began < 0.5


def test_a_jpeg_of_endless_segments_is_refused() -> None:
    comments = b"\xff\xfe\x00\x02" * (jpeg.MAX_SEGMENTS + 1)
    with pytest.raises(ImageTooLarge, match="segments"):
        decode_image(jpeg.START + comments + END)


def test_a_png_of_endless_chunks_is_refused_in_milliseconds() -> None:
    whole, after_header = hostile.png(hostile.photo()), 8 + 25
    empty = bytes(4) + b"prVt" + zlib.crc32(b"prVt").to_bytes(4, "big")
    began = time.process_time()
    with pytest.raises(ImageTooLarge, match="more than 20,000 chunks"):
        decode_image(whole[:after_header] + empty * 400_000 + whole[after_header:])
    assert time.process_time() - began < 0.3


def test_what_follows_an_ordinary_jpeg_is_no_scan_of_it() -> None:
    """A motion photo: a film after the picture."""
    whole = hostile.jpeg(hostile.photo())
    assert (
        decode_image(whole + b"\xff\xda\x00\x08" * 500).tobytes() == decode_image(whole).tobytes()
    )


def old_rule(data: bytes) -> Image.Image:
    """Return what images became before there were strips: whole copies at each step."""
    image = Image.open(io.BytesIO(data))
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(canvas, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def noise(*shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def odd_images() -> dict[str, bytes]:
    size = (37, 53)
    palette = Image.fromarray(noise(*size) % 16).convert("P")
    palette.putpalette(noise(48).tobytes())
    sixteen = np.random.default_rng(0).integers(0, 65536, size, np.uint16)
    rgb_image = Image.fromarray(noise(*size, 3))
    return {
        "RGBA": hostile.png(Image.fromarray(noise(*size, 4))),
        "LA": hostile.png(Image.fromarray(noise(*size, 4)).convert("LA")),
        "P, one clear": hostile.encoded(palette, "PNG", transparency=3),
        "P, many clear": hostile.encoded(palette, "PNG", transparency=noise(16).tobytes()),
        "P": hostile.png(palette),
        "RGB with a clear colour": hostile.encoded(
            rgb_image, "PNG", transparency=rgb_image.getpixel((3, 3))
        ),
        "L with a clear grey": hostile.encoded(rgb_image.convert("L"), "PNG", transparency=7),
        "16 bits": hostile.png(Image.fromarray(sixteen)),
        "1": hostile.png(rgb_image.convert("1")),
        "CMYK": hostile.jpeg(rgb_image.convert("CMYK")),
        "clear WebP": hostile.encoded(Image.fromarray(noise(*size, 4)), "WEBP", lossless=True),
    }


@pytest.mark.parametrize("name", odd_images())
@pytest.mark.parametrize("strip", [1, 200, 1 << 20])
def test_strips_change_no_pixel(name: str, strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = odd_images()[name]
    monkeypatch.setattr(rgb, "STRIP_PIXELS", strip)
    assert decode_image(data).tobytes() == old_rule(data).tobytes()


def test_an_rgb_image_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise AssertionError("a whole copy was made")

    monkeypatch.setattr(Image.Image, "convert", explode)
    monkeypatch.setattr(Image.Image, "copy", explode)
    assert decode_image(hostile.jpeg(hostile.photo())).mode == "RGB"


def test_what_decoding_takes_is_told_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    def refuse(num_bytes: int) -> None:
        told.append(num_bytes)
        raise ImageTooLarge("no room")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(ImageTooLarge, match="no room"):
        decode_image(hostile.jpeg(hostile.photo(96, 64)), reserve=refuse)
    assert told == [(96, 64)]


def test_a_service_takes_16_megapixels_by_default_and_not_one_more() -> None:
    decode_image(hostile.png(Image.new("L", (4000, 4000))), ImageLimits())
    with pytest.raises(ImageTooLarge, match="the limit is 16,000,000"):
        decode_image(hostile.png_by_hand(4001, 4000), ImageLimits())


def test_threads_that_decode_leave_the_process_its_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        before = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(decode_image, [hostile.jpeg(hostile.photo(seed=i)) for i in range(200)]))
        assert warnings.filters == before
