"""COCO's lists: the class of an image is its only category."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainer.data.readers.formats.packed import coco, make_coco
from trainer.data.bad_files import bad_files, refuse_bad
from trainer.data.load import load_task
from trainer.errors import DataError

CATEGORIES = {7: "dog", 3: "cat", 0: "animals"}


def some(count: int, prefix: str = "") -> dict[str, list[int]]:
    return {f"{prefix}{i}.png": [(7, 3)[i % 2]] for i in range(count)}


def test_the_official_folders_are_read(tmp_path: Path) -> None:
    for split, count in (("train2017", 12), ("val2017", 2)):
        path = tmp_path / "annotations" / f"instances_{split}.json"
        make_coco(path, coco(some(count), CATEGORIES), tmp_path / split)
    data = load_task("pets", tmp_path)
    assert data.task.class_names == ("cat", "dog")
    assert [len(samples) for samples in data.splits().values()] == [10, 2, 2]
    assert [(s.path, s.label) for s in data.val] == [
        (tmp_path / "val2017/0.png", 1),
        (tmp_path / "val2017/1.png", 0),
    ]
    assert data.held_out == ("test",)
    assert bad_files(data) == {}


def test_lists_next_to_the_images_of_each_split_are_read(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("valid", 2), ("test", 4)):
        path = tmp_path / split / "_annotations.coco.json"
        make_coco(path, coco(some(count), CATEGORIES), path.parent)
    data = load_task("pets", tmp_path)
    assert [len(samples) for samples in data.splits().values()] == [6, 2, 4]


@pytest.mark.parametrize("images", [".", "images", "pictures"])
def test_a_single_list_is_divided(tmp_path: Path, images: str) -> None:
    path = make_coco(tmp_path / "pets.json", coco(some(20), CATEGORIES), tmp_path / images)
    for place in (tmp_path, path):
        data = load_task("pets", place)
        assert [len(samples) for samples in data.splits().values()] == [16, 2, 2]


def test_several_annotations_of_one_category_are_one_label(tmp_path: Path) -> None:
    images = some(20) | {"0.png": [7, 7, 7]}
    make_coco(tmp_path / "pets.json", coco(images, CATEGORIES), tmp_path)
    assert len(load_task("pets", tmp_path).labels()) == 20


def test_several_categories_of_an_image_are_refused_by_name(tmp_path: Path) -> None:
    path = make_coco(tmp_path / "l.json", coco(some(4) | {"2.png": [7, 3]}, CATEGORIES), tmp_path)
    with pytest.raises(DataError, match=r"2\.png: has the labels 'dog\|cat', expected one"):
        load_task("pets", path)


def test_images_without_an_annotation_are_named(tmp_path: Path) -> None:
    make_coco(tmp_path / "l.json", coco(some(20) | {"x.png": []}, CATEGORIES), tmp_path)
    data = load_task("pets", tmp_path)
    with pytest.raises(DataError, match=r"x\.png: l\.json has no annotation of it"):
        refuse_bad(data, bad_files(data))
    sound = load_task("pets", tmp_path, skip_unreadable=True)
    assert sound.left_out == (tmp_path / "x.png",)


def test_an_image_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = make_coco(tmp_path / "l.json", coco(some(20), CATEGORIES), tmp_path / "images")
    (tmp_path / "images/7.png").unlink()
    with pytest.raises(DataError, match=r"images/7\.png is missing, named by l\.json"):
        load_task("pets", path)


def test_category_names_that_differ_between_lists_are_refused(tmp_path: Path) -> None:
    make_coco(tmp_path / "train.json", coco(some(6), CATEGORIES), tmp_path)
    make_coco(tmp_path / "val.json", coco(some(2, "v"), {7: "fox", 3: "cat"}), tmp_path)
    with pytest.raises(DataError, match=r"category 7 is 'fox', and in another list of .* 'dog'"):
        load_task("pets", tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"categories": None}, r"l\.json: no list as COCO has them \(TypeError"),
        ({"annotations": [{"image_id": 0}]}, r"\(KeyError: 'category_id'\); expected JSON with"),
        (
            {"annotations": [{"image_id": 99, "category_id": 7}]},
            r"l\.json: an annotation names image 99, which the list has not",
        ),
        (
            {"annotations": [{"image_id": 0, "category_id": 8}]},
            r"l\.json: an annotation names category 8, which",
        ),
    ],
)
def test_a_list_that_is_wrong_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "l.json"
    path.write_text(json.dumps(coco(some(4), CATEGORIES) | change))
    with pytest.raises(DataError, match=told):
        load_task("pets", path)


def test_a_list_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = make_coco(tmp_path / "l.json", coco(some(4), CATEGORIES), tmp_path)
    path.write_text(path.read_text()[:-30])
    with pytest.raises(DataError, match=r"l\.json: no list as COCO has them \(JSONDecodeError"):
        load_task("pets", path)
