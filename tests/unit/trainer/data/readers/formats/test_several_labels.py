"""Lists that name several classes of an image, read as a multi-label task."""

from pathlib import Path

import pyarrow as pa

from tests.unit.trainer.data.readers.formats.packed import coco, make_coco, make_parquet, picture
from trainer.data.labels.rules import LabelRules
from trainer.data.load import load_task

SEVERAL = LabelRules("multi-label")


def test_several_categories_of_coco_are_several_labels(tmp_path: Path) -> None:
    images = {f"{i}.png": [[7], [3], [7, 3]][i % 3] for i in range(30)}
    make_coco(tmp_path / "l.json", coco(images, {7: "dog", 3: "cat", 1: "none"}), tmp_path)
    data = load_task("pets", tmp_path, labels=SEVERAL)
    assert data.task.class_names == ("cat", "dog")
    assert {sample.target for sample in data.train} == {(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)}


def test_lists_in_a_column_are_several_labels(tmp_path: Path) -> None:
    labels = [[["cat"], ["cat", "dog"], []][i % 3] for i in range(30)]
    columns = {"image": [picture(i) for i in range(30)], "label": labels}
    make_parquet(tmp_path / "0.parquet", pa.table(columns))
    data = load_task("pets", tmp_path, labels=SEVERAL)
    assert data.task.class_names == ("cat", "dog")
    assert {sample.target for sample in data.train} == {(1.0, 0.0), (1.0, 1.0), (0.0, 0.0)}


def test_fractions_in_a_column_are_numbers(tmp_path: Path) -> None:
    columns = {"image": [picture(i) for i in range(30)], "label": [i / 4 for i in range(30)]}
    make_parquet(tmp_path / "0.parquet", pa.table(columns))
    data = load_task("pets", tmp_path, labels=LabelRules("regression"))
    found = {sample.target for samples in data.splits().values() for sample in samples}
    assert found == {(i / 4,) for i in range(30)}
