"""A caller's own pixels: every byte is one of them, and nothing else is taken."""

import numpy as np
import pytest

from adapters.artifact.preprocessing import ImageLimits
from adapters.errors import BadImage, ImageTooLarge
from adapters.images.decode import decode_image
from tests.fakes import hostile

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
BODY = PIXELS.tobytes()


@pytest.mark.parametrize(
    "header",
    [b"P6 3 2 255\n", b"P6\n3 2\n255\n", b"P6\n# by hand\n3 2 # size\n255\r", b"P6\t3\n\n 2 255 "],
    ids=["line", "lines", "comments", "spaces"],
)
def test_pixels_are_taken_as_they_are(header):
    np.testing.assert_array_equal(np.asarray(decode_image(header + BODY)), PIXELS)


def test_a_ppm_of_another_program_is_taken():
    photo = hostile.photo()
    assert decode_image(hostile.encoded(photo, "PPM")).tobytes() == photo.tobytes()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"P6 3 2 255\n" + BODY[:-1], r"3x2, expected .* = 18 bytes after its header.*found 17"),
        (b"P6 3 2 255\n" + BODY + b"\0", "found 19"),
        (b"P6 0 2 255\n", "not none; found 0"),
        (b"P6 3 2 65535\n" + BODY * 2, "largest value is 65535, expected 255"),
        (b"P6 3 2\n" + b"x" * 18, "header is damaged: expected 'P6 <width> <height> 255'"),
        (b"P6 3 2 255", "header is damaged"),
        (b"P6 -3 2 255\n" + BODY, "header is damaged"),
        (b"P6" + b"#" * 5000 + b"\n3 2 255\n" + BODY, "header is damaged"),
    ],
    ids=["short", "long", "empty", "deep", "no_depth", "cut", "negative", "long_header"],
)
def test_a_ppm_that_is_not_whole_is_refused_with_the_reason(data, reason):
    with pytest.raises(BadImage, match=reason):
        decode_image(data)


def test_limits_hold_before_memory_is_taken():
    told = []
    with pytest.raises(ImageTooLarge, match="3x2 pixels, the limit is 5"):
        decode_image(b"P6 3 2 255\n" + BODY, ImageLimits(max_pixels=5), told.append)
    with pytest.raises(ImageTooLarge, match="more than 50 times"):
        decode_image(b"P6 51 1 255\n" + bytes(51 * 3))
    assert not told
    decode_image(b"P6 3 2 255\n" + BODY, reserve=told.append)
    assert told == [(3, 2)]
