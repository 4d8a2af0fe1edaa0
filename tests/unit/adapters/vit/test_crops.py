"""The rule for pixels, three times: by the host, by a device, and as slowly as it can be said."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from adapters.images.crop import Picture, crop_centre
from adapters.images.decode import decode_image
from adapters.vit import crops
from adapters.vit.backbone import choose_device
from adapters.vit.crops import crop_batch
from adapters.vit.pixels import levels_of, look_up, normalise_batch, to_pixels
from adapters.vit.staging import stage
from tests.fakes.all_kinds import image_of, rule_of
from tests.fakes.reference_resize import crop_of, pixels_of

DEVICES = {torch.device("cpu"), choose_device()}
CROP, AT_ONCE = 24, 50


@pytest.mark.parametrize("start", range(0, 1000, AT_ONCE))
def test_a_thousand_images_of_all_kinds_have_the_pixels_of_the_rule(start):
    numbers = range(start, start + AT_ONCE)
    images = [decode_image(image_of(number)) for number in numbers]
    rules = [rule_of(number, CROP) for number in numbers]
    arrays = [np.asarray(image) for image in images]
    expected = [crop_of(array, rule) for array, rule in zip(arrays, rules, strict=True)]
    for image, rule, crop in zip(images, rules, expected, strict=True):
        np.testing.assert_array_equal(crop_centre(image, rule), crop, f"{image.size}, {rule}")
    for device in DEVICES:
        found = crop_batch(arrays, rules, device).cpu().numpy()
        for number, own, crop in zip(numbers, found, expected, strict=True):
            np.testing.assert_array_equal(own, crop, f"image {number} on {device}")


SIDES = st.one_of(st.integers(1, 64), st.integers(1, 1500))


@settings(max_examples=60, deadline=None)
@given(width=SIDES, height=SIDES, number=st.integers(0, 1000))
def test_images_of_any_size_have_the_pixels_of_the_rule(width, height, number):
    width, height = min(width, 50 * height), min(height, 50 * width)
    rule = rule_of(number, CROP)
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    expected = crop_of(pixels, rule)
    np.testing.assert_array_equal(crop_centre(Image.fromarray(pixels), rule), expected)
    for device in DEVICES:
        found = crop_batch([pixels], [rule], device)[0].cpu().numpy()
        np.testing.assert_array_equal(found, expected)


def test_more_lines_than_are_summed_at_once_make_the_same_pixels(monkeypatch):
    arrays = [np.asarray(decode_image(image_of(number))) for number in range(1, 9)]
    rules = [rule_of(number, CROP) for number in range(1, 9)]
    expected = crop_batch(arrays, rules, torch.device("cpu"))
    monkeypatch.setattr(crops, "_LINES_AT_ONCE", 7)
    assert torch.equal(crop_batch(arrays, rules, torch.device("cpu")), expected)


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_crops_whole_images_and_shared_ones_are_staged_and_become_the_floats_of_the_host(device):
    images = [decode_image(image_of(number)) for number in range(1, 7)]
    rules = [rule_of(number, CROP) for number in range(1, 7)]
    rules[1] = rules[1].model_copy(update={"mean": (0.1, 0.2, 0.3)})
    pictures = [
        Picture(crop_centre(image, rule), is_whole=False)
        if number % 2
        else Picture(np.asarray(image), is_whole=True)
        for number, (image, rule) in enumerate(zip(images, rules, strict=True))
    ]
    rows = [*range(6), 0, 2, 1]
    own = [rules[i] for i in rows]
    crops = stage([pictures[i] for i in rows], own, device)
    found = normalise_batch(crops, own)
    expected = torch.stack([to_pixels(images[i], rules[i]) for i in rows])
    assert torch.equal(found.cpu(), expected)
    levels = torch.stack([levels_of(rule) for rule in own]).to(device)
    for kind in (torch.float32, torch.bfloat16):
        assert torch.equal(look_up(crops, levels.to(kind)).cpu(), expected.to(kind))
    by_hand = pixels_of(crop_of(np.asarray(images[0]), rules[0]), rules[0])
    np.testing.assert_array_equal(found[0].cpu().numpy(), by_hand)


def test_a_batch_of_crops_alone_is_not_resized_again(monkeypatch):
    monkeypatch.setattr("adapters.vit.staging.crop_batch", pytest.fail)
    image, rule = decode_image(image_of(3)), rule_of(3, CROP)
    crop = crop_centre(image, rule)
    found = stage([Picture(crop, False)], [rule], torch.device("cpu"))
    np.testing.assert_array_equal(found[0].numpy(), crop)
