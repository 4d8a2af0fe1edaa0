"""Training sees the very pixels that serving sees, in an order that the seed decides."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset, TensorDataset

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import crop_centre, decode_by_rule
from adapters.images.decode import decode_image
from adapters.vit.pixels import to_pixels
from tests.fakes.tiny import HALF, image_bytes
from tests.unit.trainer.toy import toy_set
from trainer.data.task_data import Sample
from trainer.errors import DataError
from trainer.training import distributed
from trainer.training import images as module
from trainer.training.images import ImageSet, Item, batches
from trainer.training.regularising.augmentation import Drawn

SQUASH = Preprocessing(resize="squash", resize_size=16, crop=16, mean=HALF, std=HALF)
SHORTER = Preprocessing(
    resize="shorter",
    resize_size=20,
    crop=16,
    interpolation="bilinear",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)


def turned_jpeg() -> bytes:
    """Return a JPEG whose EXIF says that it lies on its side."""
    pixels = np.random.default_rng(9).integers(0, 256, (24, 40, 3), np.uint8)
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    files = [
        image_bytes(1, (16, 16)),
        image_bytes(2, (40, 23), "JPEG"),
        image_bytes(3, (17, 90), "WEBP"),
        image_bytes(4, (5, 7)),
        turned_jpeg(),
    ]
    made = []
    for i, data in enumerate(files):
        (tmp_path / str(i)).write_bytes(data)
        made.append(Sample(tmp_path / str(i), i % 2))
    return made


@pytest.mark.parametrize("rule", [SQUASH, SHORTER], ids=["squash", "shorter"])
@pytest.mark.parametrize("cache_bytes", [0, 1 << 20], ids=["not cached", "cached"])
def test_pixels_are_those_of_serving_bit_for_bit(
    samples: list[Sample], rule: Preprocessing, cache_bytes: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "CACHE_BYTES", cache_bytes)
    images = ImageSet(samples, rule)
    expected = [to_pixels(decode_image(sample.path.read_bytes()), rule) for sample in samples]
    for _ in range(2):
        ((pixels, labels),) = batches(images, 5)
        assert torch.equal(pixels.cpu(), torch.stack(expected))
        assert labels.tolist() == [sample.label for sample in samples]


def test_a_task_may_be_trained_on_drafts(tmp_path: Path):
    data = image_bytes(1, (200, 160), "JPEG")
    (tmp_path / "0").write_bytes(data)
    rule = SQUASH.model_copy(update={"decoder": "draft"})
    crop, _ = ImageSet([Sample(tmp_path / "0", 0)], rule)[0]
    np.testing.assert_array_equal(crop.numpy(), crop_centre(decode_by_rule(data, rule), rule))
    assert not torch.equal(crop, ImageSet([Sample(tmp_path / "0", 0)], SQUASH)[0][0])


def test_a_small_split_is_decoded_once_and_a_large_one_never_kept(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
):
    small = ImageSet(samples, SQUASH)
    first = small[0][0]
    monkeypatch.setattr(module, "CACHE_BYTES", 5 * 16 * 16 * 3 - 1)
    large = ImageSet(samples, SQUASH)
    assert torch.equal(large[0][0], first)
    samples[0].path.unlink()
    assert torch.equal(small[0][0], first)
    with pytest.raises(DataError, match=str(samples[0].path)):
        large[0]


def test_changing_what_was_returned_does_not_change_what_is_kept(samples: list[Sample]):
    images = ImageSet(samples, SQUASH)
    pixels = images[0][0]
    before = pixels.clone()
    pixels.zero_()
    assert torch.equal(images[0][0], before)


def epoch(images: ImageSet | Subset[Item], seed: int, *, shared: bool = False) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.cat([x for x, _ in batches(images, 2, shuffle=True, shared=shared)]).cpu()


def set_workers(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(module, "_workers", lambda *_: number)


def set_processes(monkeypatch: pytest.MonkeyPatch, rank: int, size: int) -> None:
    monkeypatch.setattr(distributed, "rank", lambda: rank)
    monkeypatch.setattr(distributed, "size", lambda: size)


def test_augmentation_is_new_in_each_epoch_and_at_each_place_and_decided_by_the_seed(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
):
    set_workers(monkeypatch, 0)
    images = ImageSet(samples[:1] * 4, SHORTER, augment="crop-flip")
    first = epoch(images, 1)
    assert first.shape == (4, 3, 16, 16)
    assert torch.equal(first, epoch(images, 1))
    assert not torch.equal(first, epoch(images, 2))
    assert len({crop.numpy().tobytes() for crop in first}) == 4


@pytest.mark.parametrize("rule", [SQUASH, SHORTER])
def test_shifted_crops_are_parts_of_the_resized_image(rule: Preprocessing, samples: list[Sample]):
    larger = rule.model_copy(update={"resize_size": rule.crop + 3})
    images = ImageSet(samples[:1], larger, augment="shift-flip")
    crops = [images[Drawn(0, seed)][0] for seed in range(12)]
    with Image.open(str(samples[0].path)) as opened:
        image = opened.convert("RGB")
    how = Image.Resampling[rule.interpolation.upper()]
    whole = np.asarray(image.resize((larger.resize_size, larger.resize_size), how))
    both = (whole, whole[:, ::-1])
    side = rule.crop
    windows = {
        view[top : top + side, left : left + side].tobytes()
        for view in both
        for top in range(view.shape[0] - side + 1)
        for left in range(view.shape[1] - side + 1)
    }
    assert all(crop.numpy().tobytes() in windows for crop in crops)
    assert len({crop.numpy().tobytes() for crop in crops}) > 3


def test_neighbouring_epochs_share_no_crops(samples: list[Sample], monkeypatch: pytest.MonkeyPatch):
    set_workers(monkeypatch, 0)
    images = ImageSet(samples[:1] * 6, SHORTER, augment="crop-flip")
    crops = [crop.numpy().tobytes() for seed in (7, 8, 9) for crop in epoch(images, seed)]
    assert len(set(crops)) == 18


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes:UserWarning")
def test_any_number_of_loading_processes_draws_the_same_crops(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
):
    images = ImageSet(samples, SQUASH, augment="crop-flip")
    found = []
    for number in (0, 1, 2, 4):
        set_workers(monkeypatch, number)
        found.append(epoch(images, 3))
    assert all(torch.equal(one, found[0]) for one in found)


def test_several_training_processes_draw_the_crops_of_one(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
):
    set_workers(monkeypatch, 0)
    images = ImageSet(samples, SHORTER, augment="crop-flip")
    alone = epoch(images, 5)
    shares = []
    for rank in (0, 1):
        set_processes(monkeypatch, rank, 2)
        shares.append(epoch(images, 5, shared=True))
    assert torch.equal(torch.stack(shares, 1).flatten(0, 1), alone)


def test_a_part_of_augmented_images_is_augmented_too(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
):
    set_workers(monkeypatch, 0)
    images = ImageSet(samples, SHORTER, augment="crop-flip")
    part = Subset(images, [3, 1])
    plain = Subset(ImageSet(samples, SHORTER), [3, 1])
    assert torch.equal(epoch(part, 1), epoch(part, 1))
    assert not torch.equal(epoch(part, 1), epoch(plain, 1))
    _, labels = next(iter(batches(part, 2)))
    assert labels.tolist() == [samples[3].label, samples[1].label]


def test_drawing_crops_leaves_torchs_own_stream_alone(samples: list[Sample]):
    augmented = ImageSet(samples, SHORTER, augment="crop-flip")
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    augmented[Drawn(0, 5)]
    assert torch.equal(torch.rand(3), expected)


def order(seed: int, count: int = 9, batch: int = 4, *, shuffle: bool = True) -> list[list[float]]:
    torch.manual_seed(seed)
    pixels = toy_set(count)
    return [x[:, 0, 0, 0].tolist() for x, _ in batches(pixels, batch, shuffle=shuffle)]


def test_the_seed_decides_the_order():
    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_last_batch_that_is_not_full_is_left_out_only_when_shuffling():
    assert [len(batch) for batch in order(0)] == [4, 4]
    assert [len(batch) for batch in order(0, shuffle=False)] == [4, 4, 1]
    assert [len(batch) for batch in order(0, count=8)] == [4, 4]


def test_an_only_batch_is_kept_though_it_is_not_full():
    assert [len(batch) for batch in order(0, count=3)] == [3]


def test_without_shuffling_images_come_in_their_own_order():
    own = toy_set(9).tensors[0][:, 0, 0, 0].tolist()
    assert [x for batch in order(0, shuffle=False) for x in batch] == own


def test_an_image_that_breaks_during_training_is_named(samples: list[Sample]):
    samples[2].path.write_bytes(b"not an image")
    with pytest.raises(DataError, match=rf"{samples[2].path}: .*not an image"):
        ImageSet(samples, SQUASH)[2]


def test_balanced_draws_show_every_class_as_often_however_rare_it_is(samples: list[Sample]):
    def drawn(split: ImageSet | TensorDataset, seed: int) -> list[int]:
        torch.manual_seed(seed)
        found = batches(split, 10, shuffle=True, balanced=True)
        return torch.cat([labels for _, labels in found]).tolist()

    labels = torch.tensor([0] * 380 + [2] * 20)
    features = TensorDataset(torch.zeros(400, 3), labels)
    counts = Counter(drawn(features, 1))
    assert counts.total() == 400
    assert 160 < counts[2] < 240
    assert drawn(features, 1) == drawn(features, 1) != drawn(features, 2)
    rare = [Sample(samples[0].path, 0)] * 19 + [Sample(samples[0].path, 1)]
    assert Counter(drawn(ImageSet(rare, SQUASH), 1))[1] > 4
