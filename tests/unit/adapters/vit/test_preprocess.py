import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from adapters.artifact.preprocessing import ImageLimits, Preprocessing
from adapters.errors import BadImage, ImageTooLarge
from adapters.images.decode import MAX_ASPECT, decode_image
from adapters.vit.backbone import choose_device
from adapters.vit.pixels import normalise, normalise_batch, to_pixels
from serving.errors import to_wire
from tests.fakes import hostile
from tests.fakes.hostile import ImageCase

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def pixels_of(data: bytes) -> Any:
    return np.asarray(decode_image(data)).astype(int)


def named(name: str) -> bytes:
    return next(case.data for case in hostile.good_images() if case.name == name)


@pytest.mark.parametrize("case", hostile.good_images(), ids=lambda case: case.name)
def test_an_odd_image_becomes_eight_bit_rgb(case: ImageCase) -> None:
    image = decode_image(case.data)
    assert (image.mode, min(image.size) > 0) == ("RGB", True)


@pytest.mark.parametrize("case", hostile.bad_images(), ids=lambda case: case.name)
def test_a_bad_image_is_refused_with_its_own_error(case: ImageCase) -> None:
    with pytest.raises(BadImage) as caught:
        decode_image(case.data)
    assert to_wire(caught.value, None).code == case.code
    assert " object at 0x" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["png", "webp"])
def test_lossless_formats_keep_every_pixel(name: str) -> None:
    np.testing.assert_array_equal(pixels_of(named(name)), np.asarray(hostile.photo()))


def test_sixteen_bit_greys_are_scaled_and_not_clipped() -> None:
    found = pixels_of(named("grey_png_of_16_bits"))
    expected = np.round(np.asarray(hostile.grey16()) / 257)
    np.testing.assert_array_equal(found, np.repeat(expected[..., None], 3, axis=2))
    assert (found.min(), found.max()) == (0, 255)


def test_cmyk_is_close_to_the_rgb_it_was_made_of() -> None:
    difference = np.abs(pixels_of(named("cmyk_jpeg")) - np.asarray(hostile.photo()).astype(int))
    assert difference.mean() < 4


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, None),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_270),
        (8, Image.Transpose.ROTATE_90),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_rotation_makes_images_upright(orientation: int, turn: Any, kind: str) -> None:
    exif = hostile.orientation(orientation)
    lying = hostile.encoded(hostile.photo(), kind, exif=exif)
    upright = pixels_of(hostile.encoded(hostile.photo(), kind))
    expected = (
        upright
        if turn is None
        else np.asarray(Image.fromarray(upright.astype("u1")).transpose(turn))
    )
    np.testing.assert_array_equal(pixels_of(lying), expected)


def test_broken_exif_does_not_spoil_the_picture() -> None:
    np.testing.assert_array_equal(
        pixels_of(named("jpeg_with_broken_exif")), pixels_of(named("jpeg"))
    )


def test_transparency_is_laid_on_white() -> None:
    palette = pixels_of(named("palette_png_with_transparency"))
    assert palette[0, 0].tolist() == [255, 0, 0]
    assert palette[0, -1].tolist() == [255, 255, 255]
    assert pixels_of(named("png_with_alpha"))[5, 5].tolist() == [127, 127, 255]


@pytest.mark.parametrize("name", ["animated_png", "animated_webp"])
def test_the_first_frame_of_an_animation_counts(name: str) -> None:
    assert pixels_of(named(name))[0, 0].tolist() == [255, 0, 0]


def test_the_limits_themselves_are_allowed() -> None:
    data = hostile.png(hostile.photo(100, 50))
    exact = ImageLimits(max_bytes=len(data), max_pixels=5000)
    assert decode_image(data, exact).size == (100, 50)
    with pytest.raises(ImageTooLarge, match="bytes, the limit is"):
        decode_image(data, ImageLimits(max_bytes=len(data) - 1))
    with pytest.raises(ImageTooLarge, match=r"100x50 pixels, the limit is 4,999"):
        decode_image(data, ImageLimits(max_pixels=4999))


def test_the_longest_allowed_sliver_is_decoded_and_a_longer_one_refused() -> None:
    longest = Image.new("RGB", (2, 2 * MAX_ASPECT))
    assert decode_image(hostile.png(longest)).size == longest.size
    with pytest.raises(ImageTooLarge, match="crop it"):
        decode_image(hostile.png(Image.new("RGB", (2 * MAX_ASPECT + 1, 2))))


def test_a_bomb_is_refused_before_its_pixels_take_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr(Image.Image, "load", explode)
    with pytest.raises(ImageTooLarge):
        decode_image(hostile.png_by_hand(10_000, 10_000))


def torchvision_pixels(image: Image.Image, rule: Preprocessing) -> Any:
    size = rule.resize_size
    return transforms.Compose(
        [
            transforms.Resize(
                (size, size) if rule.resize == "squash" else size,
                interpolation=InterpolationMode(rule.interpolation),
            ),
            transforms.CenterCrop(rule.crop),
            transforms.ToTensor(),
            transforms.Normalize(rule.mean, rule.std),
        ]
    )(image)


@pytest.mark.parametrize("shape", [(500, 333), (333, 500), (64, 64), (37, 91), (3, 2), (256, 101)])
@pytest.mark.parametrize("resize_and_crop", [(64, 64), (73, 64), (72, 65), (60, 65), (61, 64)])
@pytest.mark.parametrize("resize", ["squash", "shorter"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_pixels_are_those_of_torchvision(
    shape: tuple[int, int], resize_and_crop: tuple[int, int], resize: Any, interpolation: Any
) -> None:
    size, crop = resize_and_crop
    rule = Preprocessing(
        resize=resize, resize_size=size, crop=crop, interpolation=interpolation, **IMAGENET
    )
    image = hostile.photo(*shape)
    torch.testing.assert_close(
        to_pixels(image, rule), torchvision_pixels(image, rule), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
        ((0.1, 1 / 3, 0.9), (1e-3, 0.7, 7.0)),
    ],
)
def test_normalised_values_are_those_of_the_formula_bit_by_bit(mean: Any, std: Any) -> None:
    """All 256 values of each channel, against the formula one number at a time."""
    rule = Preprocessing(resize="squash", resize_size=16, crop=16, mean=mean, std=std)
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    crop = np.stack([values, values[::-1], values.T], axis=2)
    found = normalise(crop, rule)
    assert (found.shape, found.is_contiguous()) == ((3, 16, 16), True)
    for channel, row, column in np.ndindex(3, 16, 16):
        of_one = np.float32(crop[row, column, channel]) / np.float32(255)
        expected = (of_one - np.float32(mean[channel])) / np.float32(std[channel])
        assert found[channel, row, column].numpy().tobytes() == expected.tobytes()


def test_many_crops_at_once_are_normalised_to_the_same_floats_on_the_device() -> None:
    rule = Preprocessing(resize="squash", resize_size=16, crop=16, **IMAGENET)
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    crops = [np.stack([values, values[::-1], values.T], axis=2), np.stack([values] * 3, axis=2)]
    found = normalise_batch(torch.tensor(np.stack(crops), device=choose_device()), [rule])
    assert found.is_contiguous()
    assert torch.equal(found.cpu(), torch.stack([normalise(crop, rule) for crop in crops]))


def test_decoding_twice_gives_the_same_pixels_and_leaves_the_image_alone() -> None:
    rule = Preprocessing(resize="squash", resize_size=32, crop=32, **IMAGENET)
    image = decode_image(named("jpeg"))
    before = image.tobytes()
    assert torch.equal(to_pixels(image, rule), to_pixels(decode_image(named("jpeg")), rule))
    assert image.tobytes() == before


def test_the_decoded_image_outlives_its_bytes() -> None:
    image = decode_image(bytes(io.BytesIO(named("png")).getvalue()))
    assert image.resize((8, 8)).size == (8, 8)
