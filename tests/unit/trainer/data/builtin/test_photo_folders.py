"""A built-in task as folders of photos, for who has none at hand."""

from pathlib import Path

import pytest

from adapters.program import Parser, UsageError
from trainer.cli import data as command
from trainer.data.builtin.photo_folders import write_photos
from trainer.data.load import load_task
from trainer.errors import DataError


def read(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def test_what_is_written_is_read_as_a_task_of_folders(tmp_path: Path) -> None:
    assert write_photos("digits", tmp_path / "photos", 10) == 100
    data = load_task("handwriting", tmp_path / "photos", 0)
    assert len(data.task.class_names) == 10
    assert sum(data.sizes()[split] for split in ("train", "val", "test")) == 100


def test_more_of_each_class_are_the_same_ones_and_others(tmp_path: Path) -> None:
    for each in (2, 3):
        write_photos("shapes", tmp_path / str(each), each)
    few, more = read(tmp_path / "2"), read(tmp_path / "3")
    assert few == {path: data for path, data in more.items() if path in few}
    assert len(more) == len(few) * 3 / 2


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.jpg").touch()
    with pytest.raises(DataError, match="expected a new or an empty folder"):
        write_photos("digits", tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.jpg"]


def test_more_images_than_a_task_has_are_refused_before_one_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found 17\d of eight; ask for 17\d or fewer"):
        write_photos("digits", tmp_path / "photos", 1000)
    assert not (tmp_path / "photos").exists()


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    place = tmp_path / "photos"
    place.touch()
    with pytest.raises(DataError, match=str(place)):
        write_photos("digits", place, 1)


def test_the_command_says_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser()
    command.add_arguments(parser)
    place = str(tmp_path / "my photos")
    command.run(parser.parse_args(["write", "digits", place, "--each", "2"]))
    assert capsys.readouterr().out == (
        f"20 images are in {place}, a folder for each class; next: "
        f"spt train NAME --data '{place}'\n"
    )
    with pytest.raises(UsageError, match="expected 1 or more, found 0"):
        command.run(parser.parse_args(["write", "digits", place, "--each", "0"]))
