"""The crops of a rule, on the host: pinned, and never Pillow's to change."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import crop_centre, decode_by_rule
from adapters.images.decode import decode_image
from adapters.images.weights import Axis, weights_of
from tests.fakes import hostile
from tests.fakes.reference_resize import taps

HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


def rule(**changes):
    fields = {"resize": "squash", "resize_size": 64, "crop": 64} | HALF
    return Preprocessing.model_validate(fields | changes)


def pattern(width, height):
    """Return an image of plain arithmetic, with hard edges and all values."""
    y, x = np.mgrid[:height, :width]
    channels = [x * 7 + y * 13, (x * y) % 251, ((x // 5 + y // 3) % 2) * 255]
    return Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))


GOLDEN = {
    (500, 375): "78adcb9134f3a241",
    (400, 700): "7551c6e729f4bac9",
    (480, 800): "a2d6c60e3ba983a0",
    (64, 64): "9fbe372f79510254",
    (37, 91): "9d39508a26cf9961",
    (1, 50): "8794285e4305cf52",
    (2000, 40): "be288c9d58d98dad",
}


@pytest.mark.parametrize("size", GOLDEN, ids=str)
def test_crops_are_what_they_always_were(size):
    """Artifacts in stores were trained on them. 400x700 is where Pillow 12 and 13 differ."""
    image = pattern(*size)
    rules = [
        rule(),
        rule(interpolation="bilinear"),
        rule(resize="shorter", resize_size=73),
        rule(resize="shorter", resize_size=50),
    ]
    crops = b"".join(crop_centre(image, one).tobytes() for one in rules)
    assert hashlib.sha256(crops).hexdigest()[:16] == GOLDEN[size]


@pytest.mark.parametrize("size", [(400, 700), (700, 400), (30, 90), (90, 30), (50, 70)], ids=str)
def test_pillow_never_chooses_which_axis_is_first(size, monkeypatch):
    resize, changes = Image.Image.resize, []

    def watched(image, to, *args):
        changes.append((image.size[0] != to[0]) + (image.size[1] != to[1]))
        return resize(image, to, *args)

    monkeypatch.setattr(Image.Image, "resize", watched)
    crop_centre(pattern(*size), rule())
    assert changes == [1, 1]


def test_an_image_of_the_rules_size_is_left_as_it_is():
    image = pattern(64, 64)
    np.testing.assert_array_equal(crop_centre(image, rule()), np.asarray(image))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("size", "resized"), [(500, 224), (375, 224), (1, 16), (16, 1), (97, 98), (28284, 224), (7, 7)]
)
def test_weights_are_those_of_the_rule_one_number_at_a_time(size, resized, interpolation):
    found = weights_of(Axis(size, resized, -1, resized + 2), interpolation)
    for position in range(resized):
        first, expected = taps(size, resized, position, interpolation)
        own = found.weights[position + 1]
        assert found.first[position + 1] == first
        assert own[: len(expected)].tolist() == expected
        assert not own[len(expected) :].any()
    assert not found.weights[[0, -1]].any()
    assert found.span == (0, size)


def test_a_part_of_an_axis_has_the_weights_of_the_whole():
    whole = weights_of(Axis(500, 224, 0, 224), "bicubic")
    part = weights_of(Axis(500, 224, 100, 20), "bicubic")
    taps_of_part = part.weights.shape[1]
    np.testing.assert_array_equal(part.first, whole.first[100:120])
    np.testing.assert_array_equal(part.weights, whole.weights[100:120, :taps_of_part])
    assert part.span == (part.first[0], whole.first[119] + np.count_nonzero(part.weights[-1]))


def test_a_draft_has_the_pixels_of_a_smaller_jpeg_and_only_where_that_is_enough():
    data = hostile.jpeg(hostile.photo(1000, 800))
    draft = rule(decoder="draft")
    assert decode_by_rule(data, rule()).size == (1000, 800)
    assert decode_by_rule(data, draft).size == (125, 100)
    assert decode_by_rule(data, rule(decoder="draft", resize_size=300)).size == (500, 400)
    assert decode_by_rule(hostile.png(hostile.photo(1000, 800)), draft).size == (1000, 800)
    small = hostile.jpeg(hostile.photo(90, 70))
    assert decode_by_rule(small, draft).tobytes() == decode_image(small).tobytes()


def test_a_front_process_decodes_and_crops_without_torch():
    code = "import sys, serving.decoding.decoder; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
