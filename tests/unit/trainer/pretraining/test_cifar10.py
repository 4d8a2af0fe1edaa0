"""CIFAR-10 reads the same from the official archive and from lossless sheets."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainer.errors import DataError
from trainer.pretraining import cifar10 as module
from trainer.pretraining.cifar10 import load_cifar10

COUNT = 4
FILES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}


@pytest.fixture(autouse=True)
def _few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IMAGES_PER_FILE", COUNT)


def contents(split: str) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(len(split))
    count = COUNT * len(FILES[split])
    return random.integers(0, 256, (count, 3, 32, 32), np.uint8), random.integers(0, 10, count)


def write_binary(folder: Path) -> Path:
    folder.mkdir()
    for split, names in FILES.items():
        images, labels = contents(split)
        rows = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(-1, 3072)], axis=1)
        for i, name in enumerate(names):
            (folder / f"{name}.bin").write_bytes(rows[i * COUNT : (i + 1) * COUNT].tobytes())
    return folder


def write_sheets(folder: Path) -> Path:
    folder.mkdir()
    for split, names in FILES.items():
        images, labels = contents(split)
        (folder / f"{split}_lables.json").write_text(json.dumps(labels.tolist()))
        rows = images.transpose(0, 2, 3, 1).reshape(-1, 1024, 3)
        for i, name in enumerate(names):
            Image.fromarray(rows[i * COUNT : (i + 1) * COUNT]).save(folder / f"{name}.png")
    return folder


FORMS = {"bin": write_binary, "png": write_sheets}


@pytest.mark.parametrize("split", FILES)
def test_both_forms_read_to_the_same_tensors(split: str, tmp_path: Path):
    images, labels = load_cifar10(write_binary(tmp_path / "bin"), split)
    others, other_labels = load_cifar10(write_sheets(tmp_path / "png"), split)
    assert torch.equal(images, others)
    assert torch.equal(labels, other_labels)
    assert np.array_equal(images, contents(split)[0])
    assert labels.tolist() == contents(split)[1].tolist()


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_the_wrong_size_is_named(form: str, tmp_path: Path):
    folder = FORMS[form](tmp_path / form)
    if form == "bin":
        (folder / "data_batch_3.bin").write_bytes(b"short")
    else:
        Image.new("RGB", (32, 32)).save(folder / "data_batch_3.png")
    with pytest.raises(DataError, match=rf"data_batch_3\.{form}.*expected"):
        load_cifar10(folder, "train")


def test_too_few_labels_are_counted(tmp_path: Path):
    folder = write_sheets(tmp_path / "png")
    (folder / "test_lables.json").write_text("[1, 2]")
    with pytest.raises(DataError, match="2 labels for 4 images"):
        load_cifar10(folder, "test")


def test_an_empty_folder_says_what_belongs_there(tmp_path: Path):
    with pytest.raises(DataError, match=r"data_batch_1\.bin is missing; unpack"):
        load_cifar10(tmp_path, "train")


@pytest.mark.parametrize(
    ("form", "missing"),
    [("bin", "data_batch_3.bin"), ("png", "data_batch_3.png"), ("png", "train_lables.json")],
)
def test_a_missing_file_is_named(form: str, missing: str, tmp_path: Path):
    folder = FORMS[form](tmp_path / form)
    (folder / missing).unlink()
    with pytest.raises(DataError, match=missing.replace(".", r"\.")):
        load_cifar10(folder, "train")
