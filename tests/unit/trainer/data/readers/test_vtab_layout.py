from pathlib import Path

import pytest

from tests.unit.trainer.replicas import make_vtab
from trainer.data.readers.vtab import is_vtab, read_vtab
from trainer.data.task_data import check
from trainer.errors import DataError


def test_the_three_lists_become_the_three_splits(tmp_path: Path) -> None:
    data = read_vtab(make_vtab(tmp_path), "toy")
    check(data)
    assert data.task.class_names == ("class 0", "class 1", "class 2")
    assert [s.path for s in data.val] == [
        tmp_path / f"images/val200/00000{i}.jpg" for i in (0, 1, 2)
    ]
    assert [s.label for s in data.test] == [0, 1, 2]


def test_classes_txt_names_the_classes(tmp_path: Path) -> None:
    data = read_vtab(make_vtab(tmp_path, classes="ant\nbee\nred fox\n\n"), "toy")
    assert data.task.class_names == ("ant", "bee", "red fox")


def test_paths_with_spaces_and_blank_lines_are_read(tmp_path: Path) -> None:
    make_vtab(tmp_path)
    (tmp_path / "test.txt").write_text("\nimages/test/my photo.jpg 2\n\n")
    (sample,) = read_vtab(tmp_path, "toy").test
    assert (sample.path.name, sample.label) == ("my photo.jpg", 2)


def test_a_label_out_of_range_names_the_line(tmp_path: Path) -> None:
    make_vtab(tmp_path, classes="ant\nbee\n")
    with pytest.raises(
        DataError, match=r"train800\.txt:3: label 2 is out of range, expected 0 to 1"
    ):
        read_vtab(tmp_path, "toy")


@pytest.mark.parametrize("line", ["images/a.jpg", "images/a.jpg -1", "images/a.jpg cat", "7"])
def test_a_malformed_line_is_shown_with_its_number(tmp_path: Path, line: str) -> None:
    make_vtab(tmp_path)
    (tmp_path / "val200.txt").write_text(f"images/val200/000000.jpg 0\n{line}\n")
    with pytest.raises(DataError, match=rf"val200\.txt:2: expected .* found '{line}'"):
        read_vtab(tmp_path, "toy")


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    (make_vtab(tmp_path) / "test.txt").unlink()
    assert is_vtab(tmp_path)
    with pytest.raises(DataError, match=r"test\.txt is missing, expected lines such as"):
        read_vtab(tmp_path, "toy")


def test_a_blank_class_name_names_its_line(tmp_path: Path) -> None:
    make_vtab(tmp_path, classes="ant\n\nbee\n")
    with pytest.raises(DataError, match=r"classes\.txt:2: the line is blank"):
        read_vtab(tmp_path, "toy")
