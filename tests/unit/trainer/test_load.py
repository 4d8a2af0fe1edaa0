from pathlib import Path

import pytest
from replicas import make_cars, make_fgvc, make_folders, make_vtab

from trainer.data.builtin.catalogue import BUILTIN
from trainer.data.load import load_task
from trainer.data.public_tasks import PUBLIC_TASKS
from trainer.errors import DataError


def _every_layout(root: Path) -> dict[str, Path]:
    entries: dict[str, object] = {f"{c}/{i}.jpg": c for c in (1, 2) for i in range(5)}
    return {
        "vtab": make_vtab(root / "vtab"),
        "fgvc": make_fgvc(root / "fgvc", {"train": entries, "test": {"1/t.jpg": 1}}),
        "cars": make_cars(root / "cars"),
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
