from pathlib import Path

import pytest

from tests.unit.trainer.replicas import make_fgvc
from trainer.data.readers.fgvc import read_fgvc
from trainer.data.task_data import check
from trainer.errors import DataError

BIRDS: dict[str, dict[str, object]] = {
    "train": {"001.Albatross/a.jpg": 1, "002.Auklet/a.jpg": 2, "003.Wren/a.jpg": 3},
    "val": {"003.Wren/b.jpg": 3},
    "test": {"001.Albatross/c.jpg": 1, "002.Auklet/c.jpg": 2, "003.Wren/c.jpg": 3},
}


def test_a_class_that_a_split_lacks_does_not_shift_its_labels(tmp_path: Path) -> None:
    data = read_fgvc(make_fgvc(tmp_path, BIRDS), "toy", 0)
    check(data)
    assert [s.label for s in data.train] == [0, 1, 2]
    assert [s.label for s in data.val] == [2]


def test_classes_are_named_by_their_folders(tmp_path: Path) -> None:
    data = read_fgvc(make_fgvc(tmp_path, BIRDS), "toy", 0)
    assert data.task.class_names == ("001.Albatross", "002.Auklet", "003.Wren")


def test_classes_that_share_a_folder_are_named_by_their_ids(tmp_path: Path) -> None:
    flat: dict[str, dict[str, object]] = {
        "train": {"jpg/1.jpg": 1, "jpg/2.jpg": "2"},
        "val": {"jpg/3.jpg": 1},
        "test": {"jpg/4.jpg": 2},
    }
    data = read_fgvc(make_fgvc(tmp_path, flat, root="."), "toy", 0)
    assert data.task.class_names == ("class 1", "class 2")


@pytest.mark.parametrize("root", ["images", "Images", "."])
def test_images_are_found_in_any_of_the_three_roots(tmp_path: Path, root: str) -> None:
    data = read_fgvc(make_fgvc(tmp_path, BIRDS, root), "toy", 0)
    assert data.train[0].path == tmp_path / root / "001.Albatross/a.jpg"


def test_without_val_json_a_seeded_tenth_of_training_validates(tmp_path: Path) -> None:
    lists: dict[str, dict[str, object]] = {
        "train": {f"{c}/{i}.jpg": c for c in (1, 2) for i in range(10)},
        "test": {"1/t.jpg": 1, "2/t.jpg": 2},
    }
    make_fgvc(tmp_path, lists)
    data = read_fgvc(tmp_path, "toy", 0)
    check(data)
    assert (len(data.train), len(data.val), len(data.test)) == (18, 2, 2)
    assert sorted(s.label for s in data.val) == [0, 1]
    assert read_fgvc(tmp_path, "toy", 0) == data != read_fgvc(tmp_path, "toy", 1)


def test_a_missing_test_list_is_named(tmp_path: Path) -> None:
    make_fgvc(tmp_path, {"train": BIRDS["train"]})
    with pytest.raises(DataError, match=r"test\.json is missing, expected \{image path: "):
        read_fgvc(tmp_path, "toy", 0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        ("[1]", "expected {image path: class id}, found list"),
        ('{"a.jpg": "cat"}', "'a.jpg' has class id 'cat', expected a whole number"),
        ('{"a.jpg": -1}', "'a.jpg' has class id -1"),
        ('{"a.jpg": true}', "'a.jpg' has class id True"),
        ('{"a.jpg": 1, "b.jpg": 2, "a.jpg": 2}', "'a.jpg' is listed twice"),
    ],
)
def test_a_malformed_list_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (make_fgvc(tmp_path, BIRDS) / "val.json").write_text(text)
    with pytest.raises(DataError) as caught:
        read_fgvc(tmp_path, "toy", 0)
    assert str(caught.value).startswith(f"{tmp_path / 'val.json'}")
    assert complaint in str(caught.value)


def test_images_in_none_of_the_roots_are_reported_with_the_roots(tmp_path: Path) -> None:
    make_fgvc(tmp_path, BIRDS, root="pictures")
    with pytest.raises(DataError, match=r"Albatross/a\.jpg' of train\.json is in none of images, "):
        read_fgvc(tmp_path, "toy", 0)


def test_a_class_id_without_an_image_in_any_list_is_named(tmp_path: Path) -> None:
    lists: dict[str, dict[str, object]] = {
        "train": {"a/1.jpg": 1, "c/1.jpg": 4},
        "val": {"a/2.jpg": 1},
        "test": {"c/2.jpg": 4},
    }
    make_fgvc(tmp_path, lists)
    with pytest.raises(DataError, match=r"class id 2 has no image .* from 1 to 4, 2 are missing"):
        read_fgvc(tmp_path, "toy", 0)


def test_ids_with_gaps_are_labels_where_training_and_test_images_have_the_same(
    tmp_path: Path,
) -> None:
    lists: dict[str, dict[str, object]] = {
        "train": {"a/1.jpg": 295, "b/1.jpg": 296, "c/1.jpg": 1010, "d/1.jpg": 817},
        "val": {"d/2.jpg": 817},
        "test": {"c/3.jpg": 1010, "d/3.jpg": 817, "a/3.jpg": 295, "b/3.jpg": 296},
    }
    data = read_fgvc(make_fgvc(tmp_path, lists), "toy", 0)
    check(data)
    assert data.task.class_names == ("a", "b", "d", "c")
    assert [s.label for s in data.train] == [0, 1, 3, 2]
    assert [s.label for s in data.val] == [2]
    assert [s.label for s in data.test] == [3, 2, 0, 1]


def test_one_missing_image_does_not_hide_the_root_and_is_named_with_its_list(
    tmp_path: Path,
) -> None:
    make_fgvc(tmp_path, BIRDS)
    (tmp_path / "images/001.Albatross/a.jpg").unlink()
    with pytest.raises(DataError, match=r"a\.jpg is missing, named by train\.json; 1 of 7 listed"):
        check(read_fgvc(tmp_path, "toy", 0))
