import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.trainer.replicas import make_task_data, save_image
from trainer.data.bad_files import bad_files, refuse_bad
from trainer.data.task_data import Sample, TaskData, check, name_task
from trainer.errors import DataError


def digest(data: TaskData) -> str:
    """Return what an artifact says of its training images."""
    content: str = data.fingerprints()["train_images"]["content"]
    return content


def test_sound_data_passes_every_check(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    check(data)
    refuse_bad(data, bad_files(data))


def test_the_digest_depends_on_labels_bytes_and_order_but_not_on_paths(tmp_path: Path) -> None:
    data = make_task_data(tmp_path / "a")
    assert digest(data) == digest(make_task_data(tmp_path / "b"))
    assert len(digest(data)) == 64
    relabelled = replace(data, train=tuple(Sample(s.path, 1 - s.label) for s in data.train))
    reordered = replace(data, train=data.train[::-1])
    before = digest(data)
    save_image(data.train[0].path, 77)
    assert len({before, digest(data), digest(relabelled), digest(reordered)}) == 4


def test_the_digest_ignores_validation_and_test(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    assert digest(replace(data, val=data.test, test=data.val)) == digest(data)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_empty_split_is_named(tmp_path: Path, split: str) -> None:
    with pytest.raises(DataError, match=f"toy: the {split} split is empty, expected at least one"):
        check(replace(make_task_data(tmp_path), **{split: ()}))


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_out_of_range_names_the_file_and_the_range(tmp_path: Path, label: int) -> None:
    data = make_task_data(tmp_path)
    bad = Sample(data.val[0].path, label)
    with pytest.raises(DataError, match=rf"val: .*0\.png has label {label}, expected 0 to 1"):
        check(replace(data, val=(bad,)))


def test_a_class_without_training_images_is_named(tmp_path: Path) -> None:
    data = make_task_data(tmp_path, num_classes=3)
    lacking = replace(data, train=data.train[:2])
    with pytest.raises(DataError, match=r"1 of 3 classes have no training image \(class 2\)"):
        check(lacking)
    check(lacking, missing_classes_ok=True)


def test_a_file_in_two_splits_is_refused(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    with pytest.raises(DataError, match=r"0\.png is in both train and test, expected .* 1 im"):
        check(replace(data, test=(*data.test, data.train[0])))


def test_a_missing_file_is_named_with_the_number_of_missing_ones(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    data.test[1].path.unlink()
    with pytest.raises(DataError, match=r"test/1\.png is missing, named by test; 1 of 6 listed"):
        check(data)


def test_the_same_file_under_another_spelling_is_still_the_same(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    again = Sample(tmp_path / "val" / ".." / "train" / "0.png", 0)
    with pytest.raises(DataError, match=r"0\.png is in both train and test"):
        check(replace(data, test=(*data.test, again)))


def test_a_file_twice_in_one_split_is_refused(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    with pytest.raises(DataError, match=r"0\.png is twice in train"):
        check(replace(data, train=(*data.train, data.train[0])))


def test_a_class_without_an_image_in_any_list_is_a_gap(tmp_path: Path) -> None:
    data = make_task_data(tmp_path, num_classes=3)
    splits = {k: tuple(s for s in v if s.label != 1) for k, v in data.splits().items()}
    for missing_ok in (False, True):
        with pytest.raises(DataError, match=r"1 of 3 classes have no image in any .*\(class 1\)"):
            check(replace(data, **splits), missing_classes_ok=missing_ok)


def test_an_empty_file_is_named_with_its_path(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    data.train[1].path.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        refuse_bad(data, bad_files(data))
    assert str(caught.value).startswith(f"{data.train[1].path}: the image is empty")
    assert "1 of 6 images cannot be read" in str(caught.value)


def test_a_list_digest_knows_names_and_labels_but_neither_place_nor_order(tmp_path: Path) -> None:
    data = make_task_data(tmp_path / "a")
    digests = data.list_digests()
    moved = make_task_data(tmp_path / "b" / "deeper")
    assert moved.list_digests() == digests
    assert replace(data, train=data.train[::-1]).list_digests() == digests
    assert set(digests) == {"train", "val", "test"}
    assert len(set(digests.values())) == 3
    relabelled = replace(data, train=tuple(Sample(s.path, 1 - s.label) for s in data.train))
    renamed = data.train[0].path.rename(tmp_path / "a" / "train" / "other.png")
    elsewhere = replace(data, train=(Sample(renamed, 0), data.train[1]))
    for changed in (relabelled, elsewhere):
        assert changed.list_digests()["train"] != digests["train"]
        assert changed.list_digests()["val"] == digests["val"]


def test_a_list_digest_is_the_sha256_of_sorted_lines(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    lines = "val/0.png 0\nval/1.png 1\n"
    assert data.list_digests()["val"] == hashlib.sha256(lines.encode()).hexdigest()


def test_a_task_without_classes_is_refused() -> None:
    with pytest.raises(DataError, match="toy: no class is listed"):
        name_task("toy", [])


def test_damaged_images_are_named_with_the_reason_and_their_number(tmp_path: Path) -> None:
    data = make_task_data(tmp_path, num_classes=4)
    Image.effect_noise((64, 64), 50).save(data.train[1].path)
    whole = data.train[1].path.read_bytes()
    data.train[1].path.write_bytes(whole[: len(whole) // 2])
    data.train[3].path.write_text("not an image")
    with pytest.raises(DataError) as caught:
        refuse_bad(data, bad_files(data))
    message = str(caught.value)
    assert message.startswith(f"{data.train[1].path}: the image is damaged")
    assert f"(also {data.train[3].path}); 2 of 12 images cannot be read" in message


def test_duplicate_class_names_are_made_distinct_by_their_index() -> None:
    task = name_task("toy", ["crane", "dog", "crane"])
    assert task.class_names == ("crane (0)", "dog", "crane (2)")


def test_made_up_names_never_collide_with_given_ones() -> None:
    names = name_task("toy", ["a (2)", "x", "a", "a"]).class_names
    assert len(set(names)) == 4
