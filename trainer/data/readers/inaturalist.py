"""iNaturalist 2018 as its archives unpack: COCO-style lists next to `train_val2018/`.

`val2018.json` is the test split: the official test labels are not public. Category ids are mapped
to labels over both lists at once. `categories.json`, published later, names the species; without
it the names in `train2018.json` stand, which are numbers.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.data.splits import hold_out_tenths
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError

TRAIN_LIST = "train2018.json"
TEST_LIST = "val2018.json"
CATEGORIES = "categories.json"


def is_inaturalist(folder: Path) -> bool:
    """Tell whether the folder holds the archives, or some of them."""
    return (folder / TRAIN_LIST).is_file() or (folder / "train_val2018").is_dir()


def read_inaturalist(folder: Path, name: str, seed: int) -> TaskData:
    """Read the lists; a tenth of the training images is held out for validation.

    Raises:
        DataError: a list is missing or malformed.
    """
    documents = {file: _read_json(folder / file) for file in (TRAIN_LIST, TEST_LIST)}
    names = _class_names(folder, documents[TRAIN_LIST])
    label = {class_id: i for i, class_id in enumerate(sorted(names))}
    listed, test = (_samples(folder / file, doc, label) for file, doc in documents.items())
    train, val = hold_out_tenths(listed, 1, seed)
    task = name_task(name, [names[class_id] for class_id in sorted(names)])
    lists = {"train": TRAIN_LIST, "val": TRAIN_LIST, "test": TEST_LIST}
    return TaskData(task, train, val, test, lists)


def _samples(path: Path, document: Any, label: Mapping[int, int]) -> tuple[Sample, ...]:
    try:
        files = {entry["id"]: str(entry["file_name"]) for entry in document["images"]}
        pairs = [(a["image_id"], a["category_id"]) for a in document["annotations"]]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path}: expected images with 'id' and 'file_name', and annotations with 'image_id' "
            f"and 'category_id', found none of {error}; unpack the archive again"
        ) from error
    for image, category in pairs:
        if image not in files or category not in label:
            what = f"category {category}" if image in files else f"image {image}"
            raise DataError(
                f"{path}: an annotation names {what}, which no list has; unpack the archives again"
            )
    return tuple(Sample(path.parent / files[i], label[category]) for i, category in pairs)


def _class_names(folder: Path, training: Any) -> dict[int, str]:
    path = folder / CATEGORIES
    if path.is_file():
        return _names_by_id(path, _read_json(path))
    return _names_by_id(folder / TRAIN_LIST, training)


def _names_by_id(path: Path, document: Any) -> dict[int, str]:
    try:
        entries = document["categories"] if isinstance(document, dict) else document
        return {int(entry["id"]): str(entry["name"]) for entry in entries}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: expected categories with 'id' and 'name', found others ({error}); "
            "unpack the archive again"
        ) from error


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise DataError(
            f"{path} is missing; the iNaturalist folder holds {TRAIN_LIST}, {TEST_LIST}, "
            f"train_val2018/ and, for the names, {CATEGORIES}"
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); unpack the archive again") from error
