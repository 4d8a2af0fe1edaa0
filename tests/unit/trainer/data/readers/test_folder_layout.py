from pathlib import Path

import pytest

from tests.unit.trainer.replicas import make_folders
from trainer.data.bad_files import bad_files, refuse_bad
from trainer.data.readers.folders import (
    is_class_folders,
    is_split_folders,
    read_class_folders,
    read_split_folders,
)
from trainer.data.task_data import check
from trainer.errors import DataError


def test_split_folders_are_read_as_they_are(tmp_path: Path) -> None:
    make_folders(tmp_path, {"train/cat": 3, "train/dog": 2, "val/dog": 1, "test/cat": 1})
    data = read_split_folders(tmp_path, "toy", 0)
    check(data)
    assert data.task.class_names == ("cat", "dog")
    assert [s.label for s in data.train] == [0, 0, 0, 1, 1]
    assert [s.label for s in data.val] == [1]


def test_without_val_a_tenth_of_train_validates_and_test_is_untouched(tmp_path: Path) -> None:
    make_folders(tmp_path, {"train/cat": 10, "train/dog": 10, "test/cat": 3, "test/dog": 3})
    data = read_split_folders(tmp_path, "toy", 0)
    check(data)
    assert (len(data.train), len(data.val), len(data.test)) == (18, 2, 6)
    assert all(s.path.is_relative_to(tmp_path / "train") for s in data.val)
    assert all(s.path.is_relative_to(tmp_path / "test") for s in data.test)


def test_class_folders_are_divided_80_10_10_by_the_seed(tmp_path: Path) -> None:
    make_folders(tmp_path, {"cat": 20, "dog": 20})
    data = read_class_folders(tmp_path, "toy", 0)
    check(data)
    assert (len(data.train), len(data.val), len(data.test)) == (32, 4, 4)
    assert sorted(s.label for s in data.test) == [0, 0, 1, 1]
    assert read_class_folders(tmp_path, "toy", 0) == data != read_class_folders(tmp_path, "toy", 1)


def test_without_test_images_a_tenth_of_train_is_drawn_and_val_stays_what_it_is(
    tmp_path: Path,
) -> None:
    make_folders(tmp_path, {"train/cat": 10, "train/dog": 10, "val/cat": 1, "val/dog": 1})
    data = read_split_folders(tmp_path, "toy", 0)
    check(data)
    assert all(s.path.is_relative_to(tmp_path / "val") for s in data.val)
    assert all(s.path.is_relative_to(tmp_path / "train") for s in data.test)
    assert (len(data.train), len(data.val), len(data.test)) == (18, 2, 2)
    assert data.lists == {"train": "train/", "val": "val/"}
    assert data.held_out == ("test",)


def test_train_alone_is_refused(tmp_path: Path) -> None:
    make_folders(tmp_path, {"train/cat": 2, "train/dog": 2, "more/cat": 1})
    with pytest.raises(DataError, match=r"found train/ but no test/, expected .* add test/"):
        read_split_folders(tmp_path, "toy", 0)


def test_a_class_only_in_test_is_found_by_the_check(tmp_path: Path) -> None:
    make_folders(tmp_path, {"train/cat": 2, "train/dog": 2, "val/cat": 1, "test/fox": 1})
    with pytest.raises(DataError, match=r"1 of 3 classes have no training image \(fox\)"):
        check(read_split_folders(tmp_path, "toy", 0))


def test_flat_split_folders_are_not_mistaken_for_classes(tmp_path: Path) -> None:
    make_folders(tmp_path, {"train": 2, "test": 2})
    assert not is_class_folders(tmp_path)
    assert not is_split_folders(tmp_path)


def test_images_of_other_formats_are_named_instead_of_lost(tmp_path: Path) -> None:
    make_folders(tmp_path, {"cat": 5, "dog": 5})
    (tmp_path / "cat" / "000.jpg").rename(tmp_path / "cat" / "scan.TIFF")
    (tmp_path / "cat" / "scan.TIFF").write_bytes(b"II*\0 a scan")
    (tmp_path / "cat" / "notes.txt").write_text("not an image, and not listed")
    data = read_class_folders(tmp_path, "toy", 0)
    assert len(data.labels()) + len(data.strays) == 10
    with pytest.raises(DataError, match=r"scan\.TIFF: .* expected JPEG, PNG or WebP"):
        refuse_bad(data, bad_files(data))
