"""Images of one batch share threads, memory and patience, and none takes another's."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from adapters.artifact.preprocessing import ImageLimits
from adapters.errors import BadImage
from adapters.images.crop import crop_centre, decode_by_rule
from adapters.images.decode import decode_image
from serving.deadline import Deadline
from serving.decoding.decoder import Decoder, DecoderSettings
from serving.errors import DecodingTooSlow
from tests.fakes.artifacts import make_preprocessing
from tests.fakes.tiny import image_bytes

RULE, OTHER = make_preprocessing(16), make_preprocessing(24)


def settings(**changes):
    return DecoderSettings(ImageLimits(), **{"threads": 1} | changes)


@pytest.fixture
def door():
    door = threading.Event()
    yield door
    door.set()


@pytest.fixture
def slow_image(door, monkeypatch):
    """An image whose decoding does not end before its door is opened."""
    slow = image_bytes(99)

    def decode(data, *args):
        if data is slow:
            door.wait(60)
        return decode_image(data, *args)

    monkeypatch.setattr("adapters.images.crop.decode_image", decode)
    return slow


def test_pixels_are_made_under_every_rule_of_one_decoding():
    decoder, data = Decoder(settings()), image_bytes(0)
    decoding = decoder.start(data, {RULE, OTHER})
    pictures = decoder.finish([decoding], Deadline.after(60.0))[decoding]
    for rule in (RULE, OTHER):
        assert not pictures[rule].is_whole
        np.testing.assert_array_equal(pictures[rule].pixels, crop_centre(decode_image(data), rule))
    decoder.close()


def test_a_small_image_is_left_whole_for_the_device_and_a_larger_one_cropped():
    decoder = Decoder(settings(whole_side=40))
    small = decoder.start(image_bytes(0, (40, 30)), {RULE, OTHER})
    large = decoder.start(image_bytes(0, (41, 30)), {RULE, OTHER})
    found = decoder.finish([small, large], Deadline.after(60.0))
    assert found[small][RULE] is found[small][OTHER]
    assert (found[small][RULE].is_whole, found[small][RULE].pixels.shape) == (True, (30, 40, 3))
    assert [found[large][rule].pixels.shape for rule in (RULE, OTHER)] == [(16, 16, 3), (24, 24, 3)]
    decoder.close()


def test_rules_with_a_draft_and_rules_without_share_an_image_but_no_pixels():
    data = image_bytes(0, (200, 160), "JPEG")
    draft = RULE.model_copy(update={"decoder": "draft"})
    decoder = Decoder(settings())
    decoding = decoder.start(data, {RULE, draft})
    found = decoder.finish([decoding], Deadline.after(60.0))[decoding]
    expected = crop_centre(decode_by_rule(data, draft), draft)
    np.testing.assert_array_equal(found[draft].pixels, expected)
    np.testing.assert_array_equal(found[RULE].pixels, crop_centre(decode_image(data), RULE))
    assert (found[draft].pixels != found[RULE].pixels).any()
    decoder.close()


def test_an_image_that_is_none_is_its_own_error():
    decoder = Decoder(settings())
    good, bad = decoder.start(image_bytes(0), {RULE}), decoder.start(b"no image", {RULE})
    found = decoder.finish([good, bad], Deadline.after(60.0))
    assert isinstance(found[bad], BadImage)
    assert RULE in found[good]
    decoder.close()


def test_an_image_that_takes_too_long_is_refused_alone_and_the_next_batch_goes_on(slow_image, door):
    decoder = Decoder(settings(threads=2))
    slow, good = decoder.start(slow_image, {RULE}), decoder.start(image_bytes(0), {RULE})
    began = time.monotonic()
    found = decoder.finish([slow, good], Deadline.after(1.0))
    assert time.monotonic() - began < 30
    assert isinstance(found[slow], DecodingTooSlow)
    assert RULE in found[good]
    others = [decoder.start(image_bytes(i), {RULE}) for i in range(4)]
    assert all(RULE in one for one in decoder.finish(others, Deadline.after(60.0)).values())
    decoder.close()


class Held:
    """Counts how many threads hold something for a moment, and remembers the most at once."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def hold(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.05)
        with self._lock:
            self._now -= 1


def test_no_more_pixels_are_decoded_at_once_than_the_budget_holds(monkeypatch):
    held = Held()

    def decode(data, limits, reserve):
        image = decode_image(data, limits, reserve)
        held.hold()
        return image

    monkeypatch.setattr("adapters.images.crop.decode_image", decode)
    room_for_two = 2 * (16 * 100 * 100 + 4 * (16 * 16 + 16 * 100))
    decoder = Decoder(settings(threads=4, budget_bytes=room_for_two))
    decodings = [decoder.start(image_bytes(i, (100, 100)), {RULE}) for i in range(8)]
    found = decoder.finish(decodings, Deadline.after(60.0))
    assert all(isinstance(one, dict) for one in found.values())
    assert held.most == 2
    decoder.close()


def test_what_a_sliver_is_resized_to_counts_as_well(monkeypatch):
    held = Held()
    rule = make_preprocessing(16).model_copy(update={"resize": "shorter"})

    def resize(image, rule):
        held.hold()
        return crop_centre(image, rule)

    monkeypatch.setattr("serving.decoding.decoder.crop_centre", resize)
    resized = 4 * (16 * 800 + 800)
    decoder = Decoder(settings(threads=4, budget_bytes=2 * (resized + 16 * 50)))
    decodings = [decoder.start(image_bytes(i, (50, 1)), {rule}) for i in range(8)]
    found = decoder.finish(decodings, Deadline.after(60.0))
    assert all(isinstance(one, dict) for one in found.values())
    assert held.most == 2
    decoder.close()


PEAK = """
import io, resource
from PIL import Image
from adapters.artifact.preprocessing import ImageLimits
from serving.deadline import Deadline
from serving.decoding.decoder import Decoder, DecoderSettings
from serving.trunk.allocator import disable_malloc_trim
from tests.fakes.artifacts import make_preprocessing
disable_malloc_trim()
out = io.BytesIO()
Image.new("RGBA", (4000, 4000), (9, 9, 9, 99)).save(out, "PNG", compress_level=1)
data = [bytes(bytearray(out.getvalue())) for _ in range(4)]
del out
def status(name):
    lines = dict(line.split(":") for line in open("/proc/self/status") if ":" in line)
    return int(lines[name].split()[0]) >> 10
decoder = Decoder(DecoderSettings(ImageLimits(), threads=4))
def decode(images):
    started = [decoder.start(one, {make_preprocessing()}) for one in images]
    found = decoder.finish(started, Deadline.after(100.0))
    assert all(isinstance(one, dict) for one in found.values()), found
small = io.BytesIO(); Image.new("RGB", (9, 9)).save(small, "PNG")
decode([small.getvalue()])
before = status("VmRSS")
decode(data)
import time
until = time.monotonic() + 20
while status("VmRSS") - before > 60 and time.monotonic() < until: time.sleep(0.1)
print(before, status("VmHWM"), status("VmRSS"))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the allocator is glibc's")
def test_four_large_transparent_images_at_once_take_bounded_memory_and_give_it_back():
    command = [sys.executable, "-c", PEAK]
    before, peak, after = map(int, subprocess.check_output(command, text=True).split())
    assert peak - before < 512
    assert after - before < 100
