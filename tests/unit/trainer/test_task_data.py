from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from replicas import make_task_data, save_image

from trainer.data.task_data import Sample, check, check_readable, name_task
from trainer.errors import DataError


def test_sound_data_passes_every_check(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    check(data)
    for samples in data.splits().values():
        check_readable(samples)


def test_the_digest_depends_on_labels_bytes_and_order_but_not_on_paths(tmp_path: Path) -> None:
    data = make_task_data(tmp_path / "a")
    assert data.digest() == make_task_data(tmp_path / "b").digest()
    assert len(data.digest()) == 64
    relabelled = replace(data, train=tuple(Sample(s.path, 1 - s.label) for s in data.train))
    reordered = replace(data, train=data.train[::-1])
    before = data.digest()
    save_image(data.train[0].path, 77)
    assert len({before, data.digest(), relabelled.digest(), reordered.digest()}) == 4


def test_the_digest_ignores_validation_and_test(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    assert replace(data, val=data.test, test=data.val).digest() == data.digest()


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
    with pytest.raises(DataError, match="is in both train and test, expected disjoint splits"):
        check(replace(data, test=(*data.test, data.train[0])))


def test_a_missing_file_is_named_with_the_number_of_missing_ones(tmp_path: Path) -> None:
    data = make_task_data(tmp_path)
    data.test[1].path.unlink()
    with pytest.raises(DataError, match=r"test/1\.png is missing; 1 of 6 listed images"):
        check(data)


def test_damaged_images_are_named_with_the_reason_and_their_number(tmp_path: Path) -> None:
    data = make_task_data(tmp_path, num_classes=4)
    Image.effect_noise((64, 64), 50).save(data.train[1].path)
    whole = data.train[1].path.read_bytes()
    data.train[1].path.write_bytes(whole[: len(whole) // 2])
    data.train[3].path.write_text("not an image")
    with pytest.raises(DataError) as caught:
        check_readable(data.train)
    message = str(caught.value)
    assert message.startswith(f"{data.train[1].path}: the image is damaged")
    assert f"2 of 4 images cannot be read (also {data.train[3].path})" in message


def test_duplicate_class_names_are_made_distinct_by_their_index() -> None:
    task = name_task("toy", ["crane", "dog", "crane"])
    assert task.class_names == ("crane (0)", "dog", "crane (2)")


def test_made_up_names_never_collide_with_given_ones() -> None:
    names = name_task("toy", ["a (2)", "x", "a", "a"]).class_names
    assert len(set(names)) == 4
