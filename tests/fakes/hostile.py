"""What strangers send: odd and bad images and calls, each with the outcome it must have.

Everything is built in memory, in milliseconds and the same every time. The unit tests give the
cases to the decoder and the parser, the end-to-end tests send them over HTTP.
"""

import io
import json
import pickle
import struct
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from serving.protocol import HTTP_STATUS, MAX_TASKS_PER_CALL, MAX_TOP_K, ErrorCode

BYTES = "application/octet-stream"


@dataclass(frozen=True)
class ImageCase:
    """A body and what must become of it; `code` is None where it must be answered."""

    name: str
    data: bytes
    code: ErrorCode | None = None
    content_type: str = BYTES

    @property
    def status(self) -> int:
        return 200 if self.code is None else HTTP_STATUS[self.code]


@dataclass(frozen=True)
class BadCall:
    """Query parameters that must be refused, beside an image that is fine."""

    name: str
    params: tuple[tuple[str, str], ...]
    code: ErrorCode = ErrorCode.BAD_PARAMETER

    @property
    def status(self) -> int:
        return HTTP_STATUS[self.code]


@cache
def good_images() -> tuple[ImageCase, ...]:
    """Images that look odd and must be answered."""
    return (
        ImageCase("jpeg", jpeg(photo())),
        ImageCase("png", png(photo())),
        ImageCase("webp", encoded(photo(), "WEBP", lossless=True)),
        ImageCase("ppm", encoded(photo(), "PPM")),
        ImageCase("cmyk_jpeg", cmyk_jpeg()),
        ImageCase("grey_jpeg", jpeg(photo().convert("L"))),
        ImageCase("grey_png_of_16_bits", png(grey16())),
        ImageCase("black_and_white_png", png(photo().convert("1"))),
        ImageCase("jpeg_rotated_by_exif", jpeg(photo(), exif=orientation(6))),
        ImageCase("jpeg_with_broken_exif", jpeg(photo(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")),
        ImageCase("palette_png_with_transparency", transparent_palette_png()),
        ImageCase("png_with_alpha", png(half_transparent())),
        # the pixels are whole, and have a checksum of their own that is right
        ImageCase("png_with_wrong_checksum", png_with_wrong_checksum(b"IDAT")),
        ImageCase("png_with_wrong_text_checksum", png_with_a_wrong_text_checksum()),
        # the text is never unpacked beyond a bound, and the pixels are whole
        ImageCase("png_with_a_text_bomb", png_with_a_text_bomb()),
        ImageCase("jpeg_without_its_end", jpeg(photo())[:-2]),
        ImageCase("progressive_jpeg_without_its_end", jpeg(photo(), progressive=True)[:-2]),
        ImageCase("animated_png", animated("PNG")),
        ImageCase("animated_webp", animated("WEBP", lossless=True)),
        ImageCase("one_pixel", png(Image.new("RGB", (1, 1), "red"))),
        ImageCase("image_called_text", png(photo()), content_type="text/plain"),
        ImageCase("image_called_json", png(photo()), content_type="application/json"),
    )


@cache
def bad_images() -> tuple[ImageCase, ...]:
    """Bodies that must be refused."""
    text = b"The quick brown fox jumps over the lazy dog."
    document = json.dumps({"task": "cub200", "image": [1, 2, 3]}).encode()
    damaged = (
        ("empty_body", b"", BYTES),
        ("truncated_jpeg", jpeg(photo())[:-700], BYTES),
        ("jpeg_of_two_bytes", jpeg(photo())[:2], BYTES),
        ("truncated_png", png(photo())[:-300], BYTES),
        ("truncated_ppm", encoded(photo(), "PPM")[:-1], BYTES),
        ("png_with_a_flipped_bit", png_with_a_flipped_bit(), BYTES),
        ("png_with_wrong_header_checksum", png_with_wrong_checksum(b"IHDR"), BYTES),
        ("png_with_garbage_for_pixels", png_with_garbage_for_pixels(), BYTES),
        ("png_of_no_pixels", png_by_hand(0, 0), BYTES),
        ("gif", encoded(photo(), "GIF"), BYTES),
        ("tiff", encoded(photo(), "TIFF"), BYTES),
        ("random_bytes", np.random.default_rng(0).bytes(4096), BYTES),
        ("text", text, BYTES),
        ("text_called_text", text, "text/plain; charset=utf-8"),
        ("bad_text_called_text", b"\xff\xfe\xfd", "text/plain"),
        ("json", document, BYTES),
        ("json_called_json", document, "application/json"),
        ("broken_json_called_json", document[:-3], "application/json"),
        ("pickle", pickle.dumps({"task": "cub200"}), BYTES),
    )
    too_large = (
        ("png_of_2.5_gigapixels", png_by_hand(50_000, 50_000)),
        ("png_of_100_megapixels", png_by_hand(10_000, 10_000)),
        ("png_of_51_megapixels", png_by_hand(8_500, 6_000)),
        ("jpeg_of_1000_scans", jpeg_of_many_scans(1000)),
        ("sliver", png(Image.new("L", (1, 4000)))),
    )
    return (
        *(ImageCase(name, data, ErrorCode.BAD_IMAGE, kind) for name, data, kind in damaged),
        *(ImageCase(name, data, ErrorCode.IMAGE_TOO_LARGE) for name, data in too_large),
    )


def bad_calls(task: str) -> tuple[BadCall, ...]:
    """Parameters that must be refused where `task` is published."""
    many = ",".join([task] * (MAX_TASKS_PER_CALL + 1))
    return (
        BadCall("task_missing", ()),
        BadCall("task_empty", (("task", ""),)),
        BadCall("task_unknown", (("task", "no-such-task"),), ErrorCode.TASK_NOT_FOUND),
        BadCall("task_that_climbs", (("task", "../../etc/passwd"),)),
        BadCall("task_that_is_absolute", (("task", "/etc/passwd"),)),
        BadCall("task_with_null", (("task", f"{task}\0"),)),
        BadCall("task_with_newline", (("task", f"{task}\n"),)),
        BadCall("task_in_capitals", (("task", task.upper()),)),
        BadCall("task_not_ascii", (("task", "café"),)),
        BadCall("task_very_long", (("task", "a" * 3000),)),
        BadCall("task_with_an_empty_one", (("task", f"{task},"),)),
        BadCall("tasks_too_many", (("task", many),)),
        *(
            BadCall(f"top_k_{text}", (("task", task), ("top_k", text)))
            for text in (
                *("-1", "0", "abc", "1e3", "5.0", " 5", "", "٣", "0x10"),
                *("99999999999999999999", "0000000059999", str(MAX_TOP_K + 1), "9" * 1000),
            )
        ),
        *(
            BadCall(f"{name}_{text}", (("task", task), (name, text)))
            for name in ("embed", "logits", "attention")
            for text in ("", "True", "1", "yes", "x" * 1000)
        ),
        *(
            BadCall(f"encoding_{text}", (("task", task), ("encoding", text)))
            for text in ("", "float32", "base64,list")
        ),
        BadCall("parameter_unknown", (("task", task), ("topk", "5"))),
        BadCall("parameter_that_names_a_header", (("task", task), ("X-Task", task))),
        BadCall("version_no_hex", (("task", task), ("version", "latest"))),
        BadCall("version_short", (("task", task), ("version", "abc"))),
        BadCall("version_that_climbs", (("task", task), ("version", "../../current"))),
        BadCall("version_of_two_tasks", (("task", f"{task},{task}"), ("version", "0" * 64))),
        BadCall(
            "version_unknown",
            (("task", task), ("version", "0" * 64)),
            ErrorCode.VERSION_NOT_FOUND,
        ),
        BadCall(
            "version_of_unknown_task",
            (("task", "no-such-task"), ("version", "0" * 64)),
            ErrorCode.TASK_NOT_FOUND,
        ),
    )


def photo(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """Return a smooth RGB image whose corners differ, with a little noise."""
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    channels = np.stack([x, y, 200 - x], axis=2)
    noise = np.random.default_rng(seed).integers(0, 40, channels.shape)
    return Image.fromarray((channels + noise).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return the image as a file of that kind."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpeg(image: Image.Image, **options: object) -> bytes:
    """Return the image as a JPEG of high quality."""
    return encoded(image, "JPEG", quality=95, **options)


def png(image: Image.Image) -> bytes:
    """Return the image as a PNG."""
    return encoded(image, "PNG")


def cmyk_jpeg() -> bytes:
    """Return `photo()` as a printer would send it."""
    return jpeg(photo().convert("CMYK"))


def grey16() -> Image.Image:
    """Return a ramp over all of 16 bits: 8-bit code that clips would make it nearly all white."""
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)
    return Image.fromarray(np.tile(ramp, (32, 1)))


def orientation(value: int) -> bytes:
    """Return EXIF that says how the camera was held: 6 is a quarter turn."""
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


def transparent_palette_png() -> bytes:
    """Return a palette image: a red left half, and a right half that is transparent."""
    image = Image.new("P", (32, 32), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (16, 0, 32, 32))
    return encoded(image, "PNG", transparency=1)


def half_transparent() -> Image.Image:
    """Return pure blue, half of it let through."""
    return Image.new("RGBA", (32, 32), (0, 0, 255, 128))


def animated(kind: str, **options: object) -> bytes:
    """Return an animation: a red frame, then a blue one."""
    first, second = (Image.new("RGB", (32, 32), colour) for colour in ("red", "blue"))
    return encoded(first, kind, save_all=True, append_images=[second], duration=50, **options)


def png_by_hand(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that claims so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return _png((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))


def png_with_a_flipped_bit() -> bytes:
    """Return a PNG with one wrong bit in the middle of its pixels."""
    data = bytearray(png(photo()))
    data[len(data) // 2] ^= 0x10
    return bytes(data)


def png_with_wrong_checksum(kind: bytes) -> bytes:
    """Return a PNG whose chunk of that kind is whole and has a wrong checksum."""
    data = bytearray(png(photo()))
    start = data.index(kind)
    end = start + 4 + int.from_bytes(data[start - 4 : start], "big")
    data[end] ^= 0xFF
    return bytes(data)


def png_with_a_wrong_text_checksum() -> bytes:
    """Return a PNG that is whole but for the checksum of its comment."""
    whole, after_header = png(photo()), 8 + 25
    broken = struct.pack(">I", 3) + b"tEXta\0b" + bytes(4)
    return whole[:after_header] + broken + whole[after_header:]


def jpeg_of_many_scans(count: int, image: Image.Image | None = None) -> bytes:
    """Return a progressive JPEG with so many scans of no bytes, each a pass over its pixels."""
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x3f\x3f\x10"
    whole = jpeg(photo() if image is None else image, progressive=True)
    return whole[:-2] + scan * count + b"\xff\xd9"


def png_with_garbage_for_pixels() -> bytes:
    """Return a PNG whose checksums are right and whose pixels are not compressed data."""
    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    return _png((b"IHDR", header), (b"IDAT", b"\x55" * 300), (b"IEND", b""))


def png_with_a_text_bomb() -> bytes:
    """Return a small PNG whose comment unpacks to 20 million bytes."""
    comment = b"Comment\0\0" + zlib.compress(bytes(20_000_000))
    header = struct.pack(">IIBBBBB", 8, 8, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(16))
    return _png((b"IHDR", header), (b"zTXt", comment), (b"IDAT", pixels), (b"IEND", b""))


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
