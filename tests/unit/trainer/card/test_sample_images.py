"""Sample images are small, of different classes, the same each time, and pixels alone."""

import io
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adapters.artifact.samples import MAX_SAMPLE_SIDE, SampleImage, samples_fault
from adapters.artifact.task import TargetKind
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import make_toy_folder, toy_recipe, train
from trainer.card.samples import sample_images
from trainer.data.load import load_task
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError
from trainer.experiment import materials as materials_module
from trainer.recipe import Recipe


def save(path: Path, size: tuple[int, int] = (20, 20), seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    image, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x010E] = "a private description"
    image.save(path, quality=100, exif=exif, comment="a private comment")
    return path


def data_of(*samples: Sample, target: TargetKind = "single-label", classes: int = 10) -> TaskData:
    task = name_task("some", [f"class {i}" for i in range(classes)])
    return TaskData(task, samples, samples, samples, target=target)


def opened(one: SampleImage) -> Image.Image:
    return Image.open(io.BytesIO(b64decode(one.jpeg)))


def test_they_are_of_classes_far_apart_and_always_the_same(tmp_path: Path) -> None:
    samples = [Sample(save(tmp_path / f"{i}.jpg", seed=i), i % 10) for i in range(30)]
    found = sample_images(data_of(*samples), 4)
    assert [one.label for one in found] == ["class 0", "class 2", "class 5", "class 7"]
    assert found == sample_images(data_of(*samples), 4)
    assert len(sample_images(data_of(*samples), 12)) == 10
    assert sample_images(data_of(*samples), 0) == ()


@pytest.mark.parametrize("size", [(2000, 1500), (1000, 20), (8, 8), (1, 1)])
def test_an_image_of_any_size_becomes_a_small_jpeg(tmp_path: Path, size: tuple[int, int]) -> None:
    found = sample_images(data_of(Sample(save(tmp_path / "a.jpg", size), 0)), 1)
    assert samples_fault(found) is None
    image = opened(found[0])
    assert max(image.size) == min(MAX_SAMPLE_SIDE, max(size)) or max(size) > MAX_SAMPLE_SIDE
    assert image.format == "JPEG"


def test_what_a_file_says_besides_its_pixels_does_not_go_along(tmp_path: Path) -> None:
    (found,) = sample_images(data_of(Sample(save(tmp_path / "a.jpg"), 0)), 1)
    assert b"private" in (tmp_path / "a.jpg").read_bytes()
    assert b"private" not in b64decode(found.jpeg)
    assert not opened(found).getexif()


def test_several_classes_and_numbers_are_told_in_words(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{i}.jpg", seed=i) for i in range(4)]
    marks = [(1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, 1.0, 1.0), (0.0, 0.0, 1.0)]
    several = [Sample(path, 0, own) for path, own in zip(paths, marks, strict=True)]
    found = sample_images(data_of(*several, target="multi-label", classes=3), 12)
    assert [one.label for one in found] == ["class 0, class 2", "class 1"]
    numbers = [
        Sample(path, 0, (own,)) for path, own in zip(paths, (5.0, 0.25, 9.0, 1.0), strict=True)
    ]
    found = sample_images(data_of(*numbers, target="regression", classes=1), 2)
    assert [one.label for one in found] == ["0.25", "5"]


def test_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg"):
        sample_images(data_of(Sample(tmp_path / "gone.jpg", 0)), 1)


def test_a_run_has_them_where_it_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(materials_module, "load_backbone", lambda *_, **__: tiny_backbone())
    data = make_toy_folder(tmp_path / "toy")
    recipe = toy_recipe(report={"samples": 6})
    result, adapter = train(recipe, data, tmp_path / "run")
    assert adapter.meta.samples == sample_images(load_task("toy", data), 6)
    assert [one.label for one in adapter.meta.samples] == ["blue", "red"]
    told = "a few small training images are in the artifact"
    assert told in (result.folder / "card.md").read_text()
    assert "samples" not in toy_recipe().model_dump()["report"]
    with pytest.raises(ValueError, match="less than or equal to 12"):
        Recipe.model_validate({"task": "toy", "report": {"samples": 13}})
