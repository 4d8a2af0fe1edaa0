"""The FGVC layout of the VPT code: `train.json`, `val.json`, `test.json`, each {path: class id}.

Class ids count from 0 or 1 and are mapped to labels over the union of the files: mapping each file
alone, as the original code does, shifts the labels of a file that lacks a class. Ids may have gaps,
as those of NABirds do, where training and test images have the same.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from trainer.data.splits import hold_out_tenths
from trainer.data.task_data import SPLITS, Sample, TaskData, name_task
from trainer.errors import DataError

IMAGE_ROOTS = ("images", "Images", ".")

_Ids = Mapping[str, int]


def is_fgvc(folder: Path) -> bool:
    """Tell whether the folder has this layout."""
    return (folder / "train.json").is_file()


def read_fgvc(folder: Path, name: str, seed: int) -> TaskData:
    """Read the lists; without `val.json`, a tenth of the training images is held out.

    Raises:
        DataError: `train.json` or `test.json` is missing, a list is malformed, no list has an
            image of some class id and not all others are in both, or the images are nowhere below
            the folder.
    """
    lists = {s: _read_ids(folder / f"{s}.json") for s in SPLITS if _is_expected(folder, s)}
    ids = sorted({i for entries in lists.values() for i in entries.values()})
    if set(lists["train"].values()) != set(lists["test"].values()):
        _refuse_gaps(folder, ids)
    root = _image_root(folder, lists["train"])
    label = {class_id: i for i, class_id in enumerate(ids)}
    splits = {
        split: tuple(Sample(root / path, label[i]) for path, i in entries.items())
        for split, entries in lists.items()
    }
    if "val" not in splits:
        splits["train"], splits["val"] = hold_out_tenths(splits["train"], 1, seed)
    files = {"val": "train.json"} | {split: f"{split}.json" for split in lists}
    task = name_task(name, _class_names(ids, lists))
    return TaskData(task, splits["train"], splits["val"], splits["test"], files)


def _is_expected(folder: Path, split: str) -> bool:
    return split != "val" or (folder / "val.json").is_file()


def _read_ids(path: Path) -> dict[str, int]:
    try:
        text = path.read_text(encoding="utf-8")
        entries = json.loads(text, object_pairs_hook=lambda pairs: _distinct(path, pairs))
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing, expected {{image path: class id}}; "
            "an FGVC folder holds train.json, test.json and, if there is one, val.json"
        ) from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); fetch or write the list again") from error
    if not isinstance(entries, dict):
        raise DataError(
            f"{path}: expected {{image path: class id}}, found {type(entries).__name__}; "
            "write the list again"
        )
    return {image: _parse_id(path, image, class_id) for image, class_id in entries.items()}


def _distinct(path: Path, pairs: list[tuple[str, object]]) -> dict[str, object]:
    """JSON readers keep the last of two equal keys, and say nothing."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise DataError(f"{path}: {twice!r} is listed twice; take one of its entries off the list")
    return entries


def _parse_id(path: Path, image: str, class_id: object) -> int:
    if isinstance(class_id, int | str) and str(class_id).isdecimal():
        return int(class_id)
    raise DataError(
        f"{path}: {image!r} has class id {class_id!r}, expected a whole number from 0; "
        "correct the entry"
    )


def _refuse_gaps(folder: Path, ids: list[int]) -> None:
    first = min(ids[:1], default=0)
    missing = sorted(set(range(min(first, 1), max(ids, default=0))) - set(ids))
    if missing:
        raise DataError(
            f"{folder}: class id {missing[0]} has no image in any list, expected ids without a gap "
            f"from {min(first, 1)} to {ids[-1]}, {len(missing)} are missing, or the same ids in "
            "train.json and test.json; add the images or renumber the ids"
        )


def _image_root(folder: Path, entries: _Ids) -> Path:
    for root in IMAGE_ROOTS:
        if not entries or any((folder / root / image).exists() for image in entries):
            return folder / root
    first = next(iter(entries))
    raise DataError(
        f"{folder}: {first!r} of train.json is in none of "
        f"{', '.join(IMAGE_ROOTS)}; unpack the images so that one of them holds it"
    )


def _class_names(ids: list[int], lists: Mapping[str, _Ids]) -> list[str]:
    """Name classes by their images' folders where these are one to one, else by their ids."""
    folders: dict[int, set[str]] = {}
    for entries in lists.values():
        for image, class_id in entries.items():
            folders.setdefault(class_id, set()).add(PurePosixPath(image).parent.name)
    names = [min(folders[i]) for i in ids]
    one_each = all(len(f) == 1 for f in folders.values())
    if one_each and all(names) and len(set(names)) == len(names):
        return names
    return [f"class {i}" for i in ids]
