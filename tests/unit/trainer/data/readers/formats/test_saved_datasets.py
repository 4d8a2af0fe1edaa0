"""Folders of `datasets.save_to_disk`: images are ranges of the Arrow files' bytes."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from tests.unit.trainer.data.readers.formats.packed import (
    IMAGE,
    features,
    make_saved,
    picture,
    table,
)
from trainer.data.bad_files import bad_files
from trainer.data.images.image_file import ByteRange
from trainer.data.load import load_task
from trainer.errors import DataError

PETS = features(["cat", "dog"])


def make(folder: Path) -> Path:
    splits = {
        "train": table([0, 1] * 4, 0, PETS),
        "validation": table([0, 1], 8, PETS),
        "test": table([1, 0], 10, PETS),
    }
    return make_saved(folder, splits, PETS)


def test_images_are_read_in_place(tmp_path: Path) -> None:
    data = load_task("pets", make(tmp_path / "pets"))
    assert data.task.class_names == ("cat", "dog")
    assert [len(samples) for samples in data.splits().values()] == [8, 2, 2]
    assert [image.read_bytes() for image in data.images()["train"]] == [*map(picture, range(8))]
    assert all(isinstance(image, ByteRange) for image in data.images()["val"])
    assert str(data.test[1].path) == f"{tmp_path}/pets/test/data-00000-of-00001.arrow!1"
    assert bad_files(data) == {}


def test_a_single_split_is_divided(tmp_path: Path) -> None:
    folder = make_saved(tmp_path, {"train": table([0, 1] * 10)}, PETS) / "train"
    for place in (tmp_path, folder):
        data = load_task("pets", place)
        assert data.task.class_names == ("cat", "dog")
        assert [len(samples) for samples in data.splits().values()] == [16, 2, 2]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_are_taken(tmp_path: Path, kind: pa.DataType) -> None:
    column = pa.array([picture(i) for i in range(20)], kind)
    train = pa.table({"image": column, "label": [0, 1] * 10})
    data = load_task("pets", make_saved(tmp_path, {"train": train}, PETS))
    assert {image.read_bytes() for image in data.images()["train"]} < {*map(picture, range(20))}


def test_images_that_are_only_named_lie_in_their_own_files(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"{i}.png").write_bytes(picture(i))
    named = [{"bytes": None, "path": str(tmp_path / f"{i}.png")} for i in range(20)]
    train = pa.table({"image": pa.array(named, IMAGE), "label": [0, 1] * 10})
    data = load_task("pets", make_saved(tmp_path / "saved", {"train": train}, PETS))
    assert {*data.images()["train"]} < {tmp_path / f"{i}.png" for i in range(20)}


def test_what_is_damaged_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    file = tmp_path / "train/data-00000-of-00001.arrow"
    whole = file.read_bytes()
    file.write_bytes(whole[:-8])
    with pytest.raises(DataError, match=r"00001\.arrow is cut: its end is not there"):
        load_task("pets", tmp_path)
    file.write_bytes(b"\1" * 40 + whole[-8:])
    with pytest.raises(DataError, match=r"00001\.arrow is no whole Arrow stream"):
        load_task("pets", tmp_path)
    file.unlink()
    with pytest.raises(DataError, match=r"00001\.arrow is missing"):
        load_task("pets", tmp_path)


def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    state = tmp_path / "test/state.json"
    state.write_text(json.dumps({"_indices_data_files": [{"filename": "indices.arrow"}]}))
    with pytest.raises(DataError, match=r"flatten_indices\(\)\.save_to_disk"):
        load_task("pets", tmp_path)
    state.write_text("{}")
    with pytest.raises(DataError, match=r"state\.json: not what save_to_disk writes \(no _data_f"):
        load_task("pets", tmp_path)
    state.unlink()
    with pytest.raises(DataError, match=r"state\.json is missing; copy the whole folder"):
        load_task("pets", tmp_path)


def test_compressed_files_cannot_be_read_in_place(tmp_path: Path) -> None:
    make_saved(tmp_path, {"train": table([0, 1] * 10)}, PETS)
    content, file = table([0, 1] * 10), tmp_path / "train/data-00000-of-00001.arrow"
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(file, content.schema, options=options) as stream:
        stream.write_table(content)
    with pytest.raises(DataError, match=r"arrow is no whole .* \(it is compressed\); fetch it"):
        load_task("pets", tmp_path)
