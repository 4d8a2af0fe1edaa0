from pathlib import Path

import pytest

from tests.unit.trainer.replicas import (
    make_cars,
    make_cub,
    make_dogs,
    make_fgvc,
    make_flowers,
    make_folders,
    make_imagenet,
    make_inaturalist,
    make_nabirds,
    make_vtab,
)
from trainer.data.builtin.catalogue import BUILTIN
from trainer.data.load import load_task
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.errors import DataError


def _every_layout(root: Path) -> dict[str, Path]:
    entries: dict[str, object] = {f"{c}/{i}.jpg": c for c in (1, 2) for i in range(5)}
    return {
        "vtab": make_vtab(root / "vtab"),
        "fgvc": make_fgvc(root / "fgvc", {"train": entries, "test": {"1/t.jpg": 1}}),
        "cars": make_cars(root / "cars"),
        "cub": make_cub(root / "cub"),
        "nabirds": make_nabirds(root / "nabirds"),
        "flowers": make_flowers(root / "flowers"),
        "dogs": make_dogs(root / "dogs"),
        "inaturalist": make_inaturalist(root / "inaturalist"),
        "imagenet": make_imagenet(root / "imagenet"),
        "split": make_folders(root / "split", {"train/a": 5, "train/b": 5, "test/a": 1}),
        "plain": make_folders(root / "plain", {"a": 5, "b": 5}),
    }


def test_every_layout_is_recognised_in_its_own_folder_and_below_a_parent(tmp_path: Path) -> None:
    for name, folder in _every_layout(tmp_path).items():
        data = load_task(name, folder)
        assert data.task.id == name
        assert load_task(name, tmp_path) == data
        paths = [{s.path for s in samples} for samples in data.splits().values()]
        assert len(set.union(*paths)) == sum(map(len, paths))


def test_the_class_names_of_every_layout_travel(tmp_path: Path) -> None:
    first = {
        name: load_task(name, folder).task.class_names[0]
        for name, folder in _every_layout(tmp_path).items()
    }
    assert first == {
        "vtab": "class 0",
        "fgvc": "1",
        "cars": "AM General Hummer SUV 2000",
        "cub": "Black footed Albatross",
        "nabirds": "Mallard (Male)",
        "flowers": "class 1",
        "dogs": "Chihuahua",
        "inaturalist": "0003",
        "imagenet": "n01440764",
        "split": "a",
        "plain": "a",
    }


def test_lists_made_for_the_task_come_before_those_of_the_archive(tmp_path: Path) -> None:
    entries: dict[str, object] = {f"{c}/{i}.jpg": c for c in (1, 2) for i in range(5)}
    make_cub(make_fgvc(tmp_path, {"train": entries, "test": {"1/t.jpg": 1}}))
    assert len(load_task("cub200", tmp_path).test) == 1


def test_an_archive_may_stay_in_the_folder_that_it_unpacks_to(tmp_path: Path) -> None:
    make_cub(tmp_path / "cub200" / "CUB_200_2011")
    make_nabirds(tmp_path / "nabirds")
    for root in (tmp_path, tmp_path / "cub200"):
        assert len(load_task("cub200", root).test) == 2
    assert len(load_task("nabirds", tmp_path).test) == 2


def test_a_gap_in_the_labels_is_one_clear_line(tmp_path: Path) -> None:
    make_vtab(tmp_path)
    for name in ("train800", "val200", "test"):
        path = tmp_path / f"{name}.txt"
        path.write_text(path.read_text().replace(f"images/{name}/000001.jpg 1\n", ""))
    with pytest.raises(DataError, match=r"1 of 3 classes have no image in any list \(class 1\)"):
        load_task("toy", tmp_path)


def test_a_class_with_one_image_is_one_clear_line(tmp_path: Path) -> None:
    make_folders(tmp_path, {"cat": 20, "dog": 20, "lynx": 1})
    with pytest.raises(DataError, match=r"1 of 3 classes have one image over all lists \(lynx\)"):
        load_task("pets", tmp_path)


def test_a_missing_image_names_the_list_and_how_many_are_missing(tmp_path: Path) -> None:
    make_vtab(tmp_path)
    for i in (0, 2):
        (tmp_path / f"images/val200/00000{i}.jpg").unlink()
    with pytest.raises(DataError, match=r"000000\.jpg is missing, named by val200\.txt; 2 of 9"):
        load_task("toy", tmp_path)


def test_an_image_in_the_training_and_the_test_list_is_a_leak(tmp_path: Path) -> None:
    make_vtab(tmp_path)
    with (tmp_path / "test.txt").open("a") as lines:
        lines.write("images/train800/000002.jpg 2\n")
    with pytest.raises(DataError, match=r"000002\.jpg is in both train and test"):
        load_task("toy", tmp_path)


def test_without_a_folder_the_data_is_looked_for_under_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_vtab(tmp_path / "data" / "svhn")
    assert len(load_task("svhn", None).train) == 3


def test_a_class_folder_named_like_the_task_is_not_taken_for_the_task(tmp_path: Path) -> None:
    make_folders(tmp_path, {"cats": 10, "dogs": 10})
    assert load_task("cats", tmp_path).task.class_names == ("cats", "dogs")


def test_loaded_data_is_checked(tmp_path: Path) -> None:
    (make_vtab(tmp_path) / "images/test/000001.jpg").unlink()
    with pytest.raises(DataError, match=r"test/000001\.jpg is missing"):
        load_task("toy", tmp_path)


@pytest.mark.parametrize("name", PUBLIC_TASKS)
def test_an_absent_public_task_says_which_files_go_where_and_their_source(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        load_task(name, None)
    message = str(caught.value)
    assert message.startswith(f"{name}: data/{name} does not exist; expected there: ")
    assert PUBLIC_TASKS[name].files in message
    assert PUBLIC_TASKS[name].source in message


def test_the_stanford_cars_error_names_the_four_archives(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_task("stanford_cars", tmp_path)
    for file in (
        "cars_train.tgz",
        "cars_test.tgz",
        "car_devkit.tgz",
        "cars_test_annos_withlabels.mat",
    ):
        assert file in str(caught.value)
    assert f"{tmp_path} is empty" in str(caught.value)


def test_cars_images_without_the_devkit_are_not_taken_for_two_classes(tmp_path: Path) -> None:
    make_folders(tmp_path, {"cars_train": 3, "cars_test": 3})
    with pytest.raises(DataError, match=r"cars_meta\.mat is missing"):
        load_task("stanford_cars", tmp_path)


def test_the_sample_of_sun397_may_lack_training_images_of_a_class(tmp_path: Path) -> None:
    make_vtab(tmp_path)
    (tmp_path / "train800.txt").write_text("images/train800/000000.jpg 0\n")
    assert len(load_task("sun397", tmp_path).task.class_names) == 3
    with pytest.raises(DataError, match="no training image"):
        load_task("toy", tmp_path)


def test_an_unknown_name_without_data_lists_the_builtin_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        load_task("mushrooms", None)
    assert f"({', '.join(BUILTIN)})" in str(caught.value)
    assert "pass the folder of your images as DATA=" in str(caught.value)


def test_an_unrecognised_folder_is_described_with_the_layouts(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("a,b")
    with pytest.raises(DataError, match=r"holds labels\.csv; expected .* one of: VTAB-1k lists"):
        load_task("mushrooms", tmp_path)


def test_a_builtin_task_with_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="digits is a built-in task and takes no data"):
        load_task("digits", tmp_path)


def test_a_name_that_is_no_task_id_is_refused() -> None:
    with pytest.raises(DataError, match=r"'\.\./up' is not a task id"):
        load_task("../up", None)


def test_a_folder_that_may_not_be_read_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied", "secret/train800.txt")

    monkeypatch.setattr("pathlib.Path.is_file", refuse)
    with pytest.raises(DataError, match=r"^toy: secret/train800.txt: Permission denied; check"):
        load_task("toy", tmp_path)
