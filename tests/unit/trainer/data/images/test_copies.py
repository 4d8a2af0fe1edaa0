"""The same bytes in two splits are found and told of, by `data check` and by a run."""

import json
import shutil
from pathlib import Path

import pytest

from adapters.program import Parser
from tests.unit.trainer.replicas import make_folders
from trainer.cli import data as command
from trainer.data.images.copies import Copy, copies_between, copies_told


def checked(folder: Path, *more: str) -> None:
    parser = Parser()
    command.add_arguments(parser)
    command.run(parser.parse_args(["check", "pets", "--data", str(folder), *more]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a task whose test split has one training image and one validation image."""
    splits = {"train/cat": 3, "train/dog": 3, "val/cat": 1, "val/dog": 1, "test/cat": 2}
    make_folders(tmp_path, splits | {"test/dog": 1})
    for i, image in enumerate(sorted(tmp_path.rglob("*.jpg"))):
        image.write_bytes(image.read_bytes() + bytes([i]))  # behind the end of a JPEG
    shutil.copy(tmp_path / "train/dog/001.jpg", tmp_path / "test/cat/000.jpg")
    shutil.copy(tmp_path / "val/cat/000.jpg", tmp_path / "test/dog/000.jpg")
    return tmp_path


def test_copies_are_those_of_an_earlier_split_and_none_within_one() -> None:
    splits = {"train": [Path("a"), Path("b")], "val": [Path("c")], "test": [Path("d"), Path("e")]}
    digests = {"train": ["1", "1"], "val": ["2"], "test": ["2", "1"]}
    assert copies_between(splits, digests) == [
        Copy("d", "test", "c", "val"),
        Copy("e", "test", "a", "train"),
    ]


def test_many_copies_are_counted_and_three_are_named() -> None:
    copies = [Copy(f"{i}", "test", f"t{i}", "train") for i in range(5)]
    told = copies_told(copies)
    assert told.startswith("warning: 5 images are in two splits, byte for byte")
    assert told.endswith("2 (test) is t2 (train); and 2 more")
    assert copies_told([]) == ""


def test_check_tells_of_copies_and_does_not_fail(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked(folder)
    assert "warning: 2 images are in two splits" in capsys.readouterr().out
    checked(folder, "--json")
    assert json.loads(capsys.readouterr().out)["copies"] == [
        {
            "image": str(folder / "test/cat/000.jpg"),
            "split": "test",
            "original": str(folder / "train/dog/001.jpg"),
            "original_split": "train",
        },
        {
            "image": str(folder / "test/dog/000.jpg"),
            "split": "test",
            "original": str(folder / "val/cat/000.jpg"),
            "original_split": "val",
        },
    ]
