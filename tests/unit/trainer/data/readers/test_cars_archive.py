from pathlib import Path

import pytest
from scipy.io import savemat

from tests.unit.trainer.replicas import make_cars
from trainer.data.bad_files import bad_files
from trainer.data.readers.cars import read_cars
from trainer.data.task_data import check
from trainer.errors import DataError


def test_the_archives_are_read_with_labels_from_0_and_their_names(tmp_path: Path) -> None:
    data = read_cars(make_cars(tmp_path), "stanford_cars", 0)
    check(data)
    assert not bad_files(data)
    assert data.task.class_names == ("AM General Hummer SUV 2000", "Acura RL Sedan 2012")
    assert (len(data.train), len(data.val), len(data.test)) == (9, 1, 2)
    assert [(s.path.name, s.label) for s in data.test] == [("00001.jpg", 0), ("00002.jpg", 1)]
    assert {s.path.parent for s in data.train + data.val} == {tmp_path / "cars_train"}


def test_the_seed_decides_the_validation_split(tmp_path: Path) -> None:
    make_cars(tmp_path)
    splits = [read_cars(tmp_path, "cars", seed).val for seed in range(8)]
    assert splits[0] == read_cars(tmp_path, "cars", 0).val
    assert len(set(splits)) > 1


def test_the_test_list_may_lie_in_devkit(tmp_path: Path) -> None:
    make_cars(tmp_path)
    name = "cars_test_annos_withlabels.mat"
    (tmp_path / name).rename(tmp_path / "devkit" / name)
    assert len(read_cars(tmp_path, "cars", 0).test) == 2


def test_images_in_a_second_folder_of_the_same_name_are_found(tmp_path: Path) -> None:
    make_cars(tmp_path)
    (tmp_path / "cars_test").rename(tmp_path / "inner")
    (tmp_path / "cars_test").mkdir()
    (tmp_path / "inner").rename(tmp_path / "cars_test" / "cars_test")
    check(read_cars(tmp_path, "cars", 0))


@pytest.mark.parametrize(
    "name",
    ["devkit/cars_meta.mat", "devkit/cars_train_annos.mat", "cars_test_annos_withlabels.mat"],
)
def test_a_missing_list_is_named(tmp_path: Path, name: str) -> None:
    (make_cars(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=f"{Path(name).name} is missing; the Stanford Cars folder"):
        read_cars(tmp_path, "cars", 0)


def test_a_damaged_list_is_named(tmp_path: Path) -> None:
    (make_cars(tmp_path) / "devkit" / "cars_meta.mat").write_bytes(b"half an archive")
    with pytest.raises(DataError, match=r"cars_meta\.mat is damaged .* fetch the archive again"):
        read_cars(tmp_path, "cars", 0)


def test_a_list_of_another_archive_names_what_it_holds(tmp_path: Path) -> None:
    savemat(make_cars(tmp_path) / "devkit" / "cars_meta.mat", {"labels": [1], "file_list": [2]})
    with pytest.raises(DataError, match="variable 'class_names', found labels, file_list"):
        read_cars(tmp_path, "cars", 0)


def test_a_list_without_labels_says_which_file_has_them(tmp_path: Path) -> None:
    make_cars(tmp_path)
    savemat(
        tmp_path / "cars_test_annos_withlabels.mat",
        {"annotations": {"fname": "00001.jpg", "bbox_x1": 1}},
    )
    with pytest.raises(DataError, match=r"expected the fields 'class' and 'fname', found .*fname"):
        read_cars(tmp_path, "cars", 0)
