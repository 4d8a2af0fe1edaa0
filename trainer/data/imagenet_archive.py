"""ImageNet-1k: `train/<wnid>/`, and `val/<wnid>/` or `val/` flat with a list of labels.

The official validation images are the test split; a tenth of the training images validates.
Labels follow the sorted wnids (`n01440764` is 0), as everywhere else.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from trainer.data.folder_layout import class_folders, images_in
from trainer.data.imagenet_lists import read_names, read_val_wnids
from trainer.data.splits import hold_out_tenths
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError

_WNID = re.compile(r"n\d{8}")


def is_imagenet(folder: Path) -> bool:
    """Tell whether `train/` holds folders named by wnids, and no `test/` has any."""
    return bool(_wnids(folder / "train")) and not _wnids(folder / "test")


def read_imagenet(folder: Path, name: str, seed: int) -> TaskData:
    """Read the training folders and the official validation images.

    Raises:
        DataError: `val/` is missing, or its images have no labels.
    """
    wnids = _wnids(folder / "train")
    label = {wnid: i for i, wnid in enumerate(wnids)}
    listed = _in_folders(folder / "train", label)
    source, test = _read_val(folder, label)
    train, val = hold_out_tenths(listed, 1, seed)
    names = read_names(folder)
    task = name_task(name, [names.get(wnid, wnid) for wnid in wnids])
    return TaskData(task, train, val, test, {"train": "train/", "val": "train/", "test": source})


def _wnids(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [f.name for f in class_folders(folder) if _WNID.fullmatch(f.name)]


def _read_val(folder: Path, label: Mapping[str, int]) -> tuple[str, tuple[Sample, ...]]:
    root = folder / "val"
    if not root.is_dir():
        raise DataError(
            f"{root}/ is missing; the ImageNet folder holds train/<wnid>/ and val/, whose 50,000 "
            "images are the test split"
        )
    inside = _wnids(root)
    if inside:
        _expect_known(root, inside, label)
        return "val/", _in_folders(root, label)
    source, wnids = read_val_wnids(folder)
    _expect_known(source, list(wnids.values()), label)
    return source.name, tuple(Sample(root / file, label[wnid]) for file, wnid in wnids.items())


def _in_folders(root: Path, label: Mapping[str, int]) -> tuple[Sample, ...]:
    return tuple(
        Sample(image, i)
        for wnid, i in label.items()
        if (root / wnid).is_dir()
        for image in images_in(root / wnid)
    )


def _expect_known(where: Path, wnids: list[str], label: Mapping[str, int]) -> None:
    unknown = [w for w in wnids if w not in label]
    if unknown:
        raise DataError(
            f"{where}: names {unknown[0]}, expected one of the {len(label)} classes of train/; "
            "unpack that class there"
        )
