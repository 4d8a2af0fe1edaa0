"""What cannot be read is found in all splits at once, and refused or left out."""

from pathlib import Path

import pytest
from PIL import Image

from tests.unit.trainer.replicas import make_folders, make_vtab, save_image
from trainer.data import bad_files as module
from trainer.data.bad_files import bad_files, refuse_bad
from trainer.data.load import load_task
from trainer.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one bad file in each split, and one that is no image."""
    splits = ("train", "val", "test")
    make_folders(tmp_path, {f"{split}/{c}": 5 for split in splits for c in ("cat", "dog")})
    for split in splits:
        (tmp_path / split / "cat" / "002.jpg").write_bytes(b"no image")
    (tmp_path / "train" / "dog" / "IMG.HEIC").write_bytes(b"another format")
    return tmp_path


def test_bad_files_of_all_splits_are_named_at_once(folder: Path) -> None:
    data = load_task("pets", folder)
    with pytest.raises(DataError) as caught:
        refuse_bad(data, bad_files(data))
    message = str(caught.value)
    for name in ("train/cat/002", "val/cat/002", "test/cat/002", "train/dog/IMG.HEIC"):
        assert str(folder / name) in message
    assert "4 of 31 images cannot be read" in message
    assert "data.skip_unreadable=true" in message
    assert "\n" not in message


def test_many_bad_files_are_counted_and_ten_are_named(folder: Path) -> None:
    for image in folder.rglob("*.jpg"):
        image.write_bytes(b"")
    data = load_task("pets", folder)
    with pytest.raises(DataError, match=r"and 21 more\); 31 of 31 images") as caught:
        refuse_bad(data, bad_files(data))
    assert str(caught.value).count(str(folder)) == 10


def test_bad_files_are_left_out_on_request_and_counted(folder: Path) -> None:
    data = load_task("pets", folder, skip_unreadable=True)
    assert len(data.labels()) == 27
    assert len(data.left_out) == 4
    assert not bad_files(data)


def test_missing_files_of_a_list_are_left_out_on_request(tmp_path: Path) -> None:
    make_vtab(tmp_path)
    (tmp_path / "images/train800/000009.jpg").write_bytes(b"")
    with (tmp_path / "train800.txt").open("a") as lines:
        lines.write("images/train800/000009.jpg 1\nimages/train800/000010.jpg 2\n")
    data = load_task("pets", tmp_path, skip_unreadable=True)
    assert [path.name for path in data.left_out] == ["000009.jpg", "000010.jpg"]


def test_what_is_left_must_still_be_a_task(folder: Path) -> None:
    for image in (folder / "train" / "cat").iterdir():
        image.write_bytes(b"")
    with pytest.raises(DataError, match=r"classes have no training image \(cat\)"):
        load_task("pets", folder, skip_unreadable=True)


def test_without_bad_files_leaving_them_out_changes_nothing(tmp_path: Path) -> None:
    make_folders(tmp_path, {"cat": 9, "dog": 9})
    assert load_task("pets", tmp_path, skip_unreadable=True) == load_task("pets", tmp_path)


def test_a_list_may_call_its_images_as_it_likes(tmp_path: Path) -> None:
    make_vtab(tmp_path)
    save_image(tmp_path / "aside.png").rename(tmp_path / "images/train800/bare")
    with (tmp_path / "train800.txt").open("a") as lines:
        lines.write("images/train800/bare 1\n")
    assert not bad_files(load_task("pets", tmp_path))


def test_of_a_very_long_list_the_headers_are_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = folder / "train" / "dog" / "001.jpg"
    Image.effect_noise((64, 64), 50).save(damaged)
    damaged.write_bytes(damaged.read_bytes()[:-800])
    data = load_task("pets", folder)
    assert damaged in bad_files(data)
    monkeypatch.setattr(module, "MANY", 5)
    assert damaged not in bad_files(data)
    assert folder / "train" / "cat" / "002.jpg" in bad_files(data)
