"""Parquet: lists of paths, images in cells, snapshots of the hub, and what may be wrong."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.trainer.data.readers.formats.packed import (
    features,
    make_parquet,
    picture,
    table,
)
from tests.unit.trainer.replicas import make_folders
from trainer.data.bad_files import bad_files
from trainer.data.load import load_task
from trainer.errors import DataError

PETS = features(["cat", "dog"])


def make_snapshot(folder: Path, noted: Mapping[str, Any] | None = PETS) -> Path:
    """Write the files of a hub's data set, without its README."""
    make_parquet(folder / "data/train-00000-of-00002.parquet", table([0, 1] * 4, 0, noted))
    make_parquet(folder / "data/train-00001-of-00002.parquet", table([0, 1] * 2, 8, noted))
    make_parquet(folder / "data/validation-00000-of-00001.parquet", table([1, 0], 12, noted))
    make_parquet(folder / "data/test-00000-of-00001.parquet", table([1, 0], 14, noted))
    return folder


def test_a_list_of_paths_and_labels_is_read_as_a_csv_is(tmp_path: Path) -> None:
    splits = ["train"] * 4 + ["val", "test"]
    for i in range(6):
        (tmp_path / f"{i}.png").write_bytes(picture(i))
    paths = [f"{i}.png" for i in range(5)] + [str(tmp_path / "5.png")]
    columns = {"path": paths, "label": [10, 9, 10, 9, 9, 10], "split": splits}
    make_parquet(tmp_path / "list.parquet", pa.table(columns))
    for place in (tmp_path, tmp_path / "list.parquet"):
        data = load_task("pets", place)
        assert data.task.class_names == ("9", "10")
        assert data.images()["train"] == [tmp_path / f"{i}.png" for i in range(4)]
        assert [(s.path, s.label) for s in data.test] == [(tmp_path / "5.png", 1)]
        assert bad_files(data) == {}


def test_a_relative_place_goes_with_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(20):
        (tmp_path / f"{i}.png").write_bytes(picture(i))
    paths = [f"{i}.png" for i in range(10)] + [str(tmp_path / f"{i}.png") for i in range(10, 20)]
    make_parquet(tmp_path / "list.parquet", pa.table({"path": paths, "label": [0, 1] * 10}))
    monkeypatch.chdir(tmp_path)
    here = load_task("pets", Path("list.parquet"))
    assert here.fingerprints() == load_task("pets", tmp_path / "list.parquet").fingerprints()


def test_images_in_cells_are_named_by_their_rows(tmp_path: Path) -> None:
    data = load_task("pets", make_snapshot(tmp_path))
    assert data.task.class_names == ("cat", "dog")
    assert [len(samples) for samples in data.splits().values()] == [12, 2, 2]
    assert [image.read_bytes() for image in data.images()["train"]] == [*map(picture, range(12))]
    assert str(data.train[9].path) == f"{tmp_path}/data/train-00001-of-00002.parquet!1"
    assert [sample.label for sample in data.val] == [1, 0]
    assert bad_files(data) == {}


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_and_numbers_that_became_fractions_are_taken(
    tmp_path: Path, kind: pa.DataType
) -> None:
    images = pa.array([picture(i) for i in range(20)], kind)
    make_parquet(tmp_path / "0.parquet", pa.table({"image": images, "label": [0.0, 2.0] * 10}))
    data = load_task("pets", tmp_path)
    assert data.task.class_names == ("0", "2")
    assert {image.read_bytes() for image in data.images()["train"]} < {*map(picture, range(20))}


def test_a_readme_names_files_and_classes(tmp_path: Path) -> None:
    names = "{'0': cat, '1': dog}"
    make_parquet(tmp_path / "x/one.parquet", table([0, 1] * 4))
    make_parquet(tmp_path / "x/two.parquet", table([0, 1], 8))
    files = "[{split: train, path: x/o*}, {split: test, path: [x/t*]}]"
    config = f"{{config_name: plain, data_files: {files}}}"
    label = f"{{name: label, dtype: {{class_label: {{names: {names}}}}}}}"
    info = f"{{config_name: plain, features: [{{name: image, dtype: image}}, {label}]}}"
    (tmp_path / "README.md").write_text(
        f"---\nconfigs: [{config}]\ndataset_info: {info}\n---\n# Pets\n"
    )
    data = load_task("pets", tmp_path)
    assert data.task.class_names == ("cat", "dog")
    assert [len(samples) for samples in data.splits().values()] == [7, 1, 2]


def test_a_readme_of_several_sets_is_not_guessed_from(tmp_path: Path) -> None:
    make_parquet(tmp_path / "a/train.parquet", table([0, 1] * 10))
    one = "{config_name: a, data_files: [{split: train, path: a/*.parquet}]}"
    (tmp_path / "README.md").write_text(f"---\nconfigs: [{one}, {{config_name: b}}]\n---\n")
    with pytest.raises(DataError, match=r"README\.md names several sets of files \(a, b\), none"):
        load_task("pets", tmp_path)
    assert len(load_task("pets", tmp_path / "a").labels()) == 20


@pytest.mark.parametrize("text", ["---\n: [\n---\n", "---\nconfigs: 3\n---\n", "# Pets\n", "---\n"])
def test_any_other_readme_says_nothing(tmp_path: Path, text: str) -> None:
    (make_snapshot(tmp_path) / "README.md").write_text(text)
    assert len(load_task("pets", tmp_path).labels()) == 16


def test_a_table_of_anything_else_is_no_list(tmp_path: Path) -> None:
    make_folders(tmp_path, {"cat": 10, "dog": 10})
    make_parquet(tmp_path / "features.parquet", pa.table({"width": [1, 2]}))
    (tmp_path / "empty.parquet").write_bytes(b"")
    assert load_task("pets", tmp_path).task.class_names == ("cat", "dog")
    (tmp_path / "empty.parquet").unlink()
    cut = make_parquet(tmp_path / "features.parquet", table([0, 1]))
    cut.write_bytes(cut.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"features\.parquet is cut"):
        load_task("pets", tmp_path)


def refused(table_: pa.Table, tmp_path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_task("pets", make_parquet(tmp_path / "0.parquet", table_))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"path": ["a"], "label": [None]}, "0.parquet!0: has no label, expected one for each"),
        ({"path": ["a"], "label": [-1]}, "0.parquet!0: has no label, expected one for each"),
        ({"path": ["a"], "label": [float("nan")]}, "0.parquet!0: has no label, expected one"),
        ({"path": ["a"], "label": [["x", "y"]]}, "/a: has the labels 'x|y', expected one"),
        (
            {"path": ["a"], "label": ["x"], "split": ["nowhere"]},
            "0.parquet!0: the split is 'nowhere', expected train, val or test",
        ),
        ({"path": ["a"], "label": [b"caf\xe9"]}, "holds characters that cannot be seen"),
        ({"image": [[1, 2]], "label": [0]}, "the column image holds list<"),
        ({"path": ["a"]}, "has the columns path, and none of labels; expected label"),
        ({"label": ["a"]}, "has the columns label, and none of images; expected image or img or"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(
    tmp_path: Path, columns: dict[str, list[object]], told: str
) -> None:
    assert told in refused(pa.table(columns), tmp_path)


def test_several_columns_of_labels_are_not_guessed_between(tmp_path: Path) -> None:
    kind = PETS["label"]
    noted = {"image": PETS["image"], "fine": kind, "coarse": kind}
    content = table([0, 1]).rename_columns(["image", "fine"]).append_column("coarse", [[0, 0]])
    content = content.replace_schema_metadata(table([0], 0, noted).schema.metadata)
    assert "has labels in fine, coarse, expected one column; rename" in refused(content, tmp_path)


def test_files_that_name_other_classes_are_refused(tmp_path: Path) -> None:
    make_snapshot(tmp_path)
    other = table([0, 1], 20, features(["cat", "fox"]))
    make_parquet(tmp_path / "data/test-00000-of-00001.parquet", other)
    with pytest.raises(DataError, match="its files name different classes"):
        load_task("pets", tmp_path)


def test_a_file_that_is_cut_or_not_there_is_refused(tmp_path: Path) -> None:
    path = make_parquet(tmp_path / "0.parquet", table([0, 1]))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"0\.parquet is cut, damaged or no Parquet file"):
        load_task("pets", path)
    with pytest.raises(DataError, match=r"1\.parquet is missing"):
        load_task("pets", tmp_path / "1.parquet")


def test_texts_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    wrong = pa.Array.from_buffers(pa.string(), 1, pa.array([b"caf\xe9"]).buffers())
    content = pa.table({"path": ["a"], "label": wrong})
    assert "0.parquet is cut, damaged or no Parquet file ('utf-8' codec" in refused(
        content, tmp_path
    )


def test_damaged_and_missing_cells_are_named_and_left_out_on_request(tmp_path: Path) -> None:
    images = [{"bytes": picture(i), "path": None} for i in range(20)]
    images[3] = {"bytes": b"no image", "path": "3.png"}
    images[4] = {"bytes": None, "path": None}
    images[5] = {"bytes": None, "path": "5.png"}
    (tmp_path / "5.png").write_bytes(picture(5))
    content = pa.table({"image": images, "label": [0, 1] * 10})
    make_parquet(tmp_path / "0.parquet", content)
    bad = {str(image)[-2:]: why for image, why in bad_files(load_task("pets", tmp_path)).items()}
    assert bad.keys() == {"!3", "!4"}
    assert bad["!4"] == "the cell holds no image"
    assert len(load_task("pets", tmp_path, skip_unreadable=True).labels()) == 18


def test_without_pyarrow_it_is_said_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_snapshot(tmp_path)
    for module in ("parquet", "arrow"):
        monkeypatch.delitem(sys.modules, f"trainer.data.readers.formats.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"needs pyarrow, .* pip install 'spt-serving\[data\]'"):
        load_task("pets", tmp_path)
