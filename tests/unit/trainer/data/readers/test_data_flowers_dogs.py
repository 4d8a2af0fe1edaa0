from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tests.unit.trainer.replicas import make_dogs, make_flowers
from trainer.data.readers.dogs import read_dogs
from trainer.data.readers.flowers import read_flowers
from trainer.data.task_data import check
from trainer.errors import DataError


def test_the_three_official_sets_of_flowers_become_the_three_splits(tmp_path: Path) -> None:
    data = read_flowers(make_flowers(tmp_path), "oxford_flowers")
    check(data)
    assert [(s.path.name, s.label) for s in data.train] == [
        ("image_00001.jpg", 0),
        ("image_00004.jpg", 1),
        ("image_00007.jpg", 2),
    ]
    assert [s.path.name[6:11] for s in data.val] == ["00002", "00005", "00008"]
    assert [s.path.name[6:11] for s in data.test] == ["00003", "00006", "00009"]
    assert data.task.class_names == ("class 1", "class 2", "class 3")


def test_all_102_flowers_have_names(tmp_path: Path) -> None:
    data = read_flowers(make_flowers(tmp_path, 102), "oxford_flowers")
    assert len(data.task.class_names) == 102
    assert data.task.class_names[0] == "pink primrose"
    assert data.task.class_names[-1] == "blackberry lily"


def test_a_set_that_names_an_image_without_a_label_is_refused(tmp_path: Path) -> None:
    make_flowers(tmp_path)
    savemat(tmp_path / "imagelabels.mat", {"labels": [[1, 1, 1]]})
    with pytest.raises(DataError, match=r"'trnid' names image 4, expected 1 to 3 as in imagela"):
        read_flowers(tmp_path, "oxford_flowers")


@pytest.mark.parametrize("name", ["setid.mat", "imagelabels.mat"])
def test_a_missing_flowers_file_is_named(tmp_path: Path, name: str) -> None:
    (make_flowers(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=rf"{name} is missing; the Oxford Flowers folder holds"):
        read_flowers(tmp_path, "oxford_flowers")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"other": [1, 2]}, "expected the variable 'labels', found other"),
        ({"labels": [[1.5, 2.0]]}, "expected whole numbers in 'labels'"),
        ({"labels": [["a", "b"]]}, "expected whole numbers in 'labels'"),
        ({"labels": [[np.nan]]}, "expected whole numbers in 'labels'"),
    ],
)
def test_a_wrong_mat_is_one_clear_line(
    tmp_path: Path, content: dict[str, object], complaint: str
) -> None:
    make_flowers(tmp_path)
    savemat(tmp_path / "imagelabels.mat", content)
    with pytest.raises(DataError, match=complaint) as caught:
        read_flowers(tmp_path, "oxford_flowers")
    assert "\n" not in str(caught.value)
    assert "imagelabels.mat" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_a_file_that_is_no_mat_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (make_flowers(tmp_path) / "setid.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"setid\.mat is damaged or no MATLAB file") as caught:
        read_flowers(tmp_path, "oxford_flowers")
    assert "\n" not in str(caught.value)


def test_dogs_are_read_with_a_tenth_held_out_and_their_folders_names(tmp_path: Path) -> None:
    data = read_dogs(make_dogs(tmp_path), "stanford_dogs", 0)
    check(data)
    assert data.task.class_names == ("Chihuahua", "black-and-tan coonhound")
    assert (len(data.train), len(data.val), len(data.test)) == (9, 1, 4)
    assert [s.label for s in data.test] == [0, 0, 1, 1]
    assert data.test[0].path == tmp_path / "Images/n02085620-Chihuahua/n02085620_100.jpg"


def test_a_gap_in_the_dogs_labels_is_named(tmp_path: Path) -> None:
    make_dogs(tmp_path)
    for file in ("train_list.mat", "test_list.mat"):
        images = np.array([[f"n02085620-Chihuahua/{file[:4]}{i}.jpg"] for i in range(4)], object)
        savemat(tmp_path / file, {"file_list": images, "labels": [[1], [1], [3], [3]]})
    with pytest.raises(DataError, match=r"1 of 3 classes have no image in any list \(class 2\)"):
        check(read_dogs(tmp_path, "stanford_dogs", 0))


def test_a_dogs_list_with_more_images_than_labels_is_refused(tmp_path: Path) -> None:
    make_dogs(tmp_path)
    images = np.array([["a/1.jpg"], ["a/2.jpg"]], object)
    savemat(tmp_path / "test_list.mat", {"file_list": images, "labels": [[1]]})
    with pytest.raises(DataError, match=r"test_list\.mat: 2 images and 1 labels"):
        read_dogs(tmp_path, "stanford_dogs", 0)


def test_a_missing_dogs_list_is_named(tmp_path: Path) -> None:
    (make_dogs(tmp_path) / "test_list.mat").unlink()
    with pytest.raises(DataError, match=r"test_list\.mat is missing; the Stanford Dogs folder"):
        read_dogs(tmp_path, "stanford_dogs", 0)
