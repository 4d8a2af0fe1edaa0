"""Validation images become training images once nothing is left to choose."""

from pathlib import Path

import pytest

from tests.unit.trainer.replicas import make_vtab
from trainer.data.load import load_task
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.data.task_data import TaskData
from trainer.data.together import with_validation
from trainer.errors import DataError


def both(folder: Path, text: str) -> TaskData:
    """Return a task of three images a split with such a list of the first two splits."""
    make_vtab(folder)
    (folder / "train800val200.txt").write_text(text)
    return load_task("toy", folder)


def test_the_list_of_both_is_known(tmp_path: Path) -> None:
    make_vtab(tmp_path)
    lists = [(tmp_path / name).read_text() for name in ("train800.txt", "val200.txt")]
    data = both(tmp_path, "".join(lists))
    assert data.listed_together == {"train800val200.txt": [0, 1, 2, 0, 1, 2]}
    joined = with_validation(data)
    assert joined.train == data.train + data.val
    assert joined.val == data.val


def test_without_such_a_list_the_two_are_joined(tmp_path: Path) -> None:
    assert len(with_validation(load_task("toy", make_vtab(tmp_path))).train) == 6


def test_a_list_of_other_images_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    data = both(tmp_path, "images/train800/000000.jpg 0\n")
    with pytest.raises(
        DataError, match=r"train800val200\.txt lists 1 images, expected the 6 of train800\.txt and"
    ):
        with_validation(data)


def test_a_share_of_the_training_images_is_not_compared_with_the_whole_list(tmp_path: Path) -> None:
    both(tmp_path, "".join(f"images/train800/00000{i}.jpg {i}\n" for i in range(3)) * 2)
    with (tmp_path / "train800.txt").open("a") as lines:
        for i in range(3):
            (tmp_path / f"images/train800/more{i}.jpg").write_bytes(b"")
            lines.write(f"images/train800/more{i}.jpg {i}\n")
    assert len(with_validation(load_task("toy", tmp_path, proportion=0.5)).train) == 6


def test_vtab_trains_on_a_thousand_images() -> None:
    """Table S1: 800 / 1000."""
    vtab = [task for task in PUBLIC_TASKS.values() if task.group.startswith("vtab")]
    assert len(vtab) == 19
    assert {task.sizes[:2] for task in vtab} == {(800, 200)}
