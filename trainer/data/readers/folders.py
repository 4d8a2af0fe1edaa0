"""Plain image folders: `train/<class>/*.jpg` and `test/<class>/*.jpg`, or just `<class>/*.jpg`.

The class names are the folders' names, sorted. Files of other image formats than those we take
are listed too, so that the readability check names them instead of losing them.
"""

from collections.abc import Sequence
from pathlib import Path

from trainer.data.splits import hold_out_tenths
from trainer.data.task_data import SPLITS, Sample, TaskData, name_task
from trainer.errors import DataError

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def is_split_folders(folder: Path) -> bool:
    """Tell whether the folder holds `train/<class>/`."""
    train = folder / "train"
    return train.is_dir() and any(class_folders(train))


def is_class_folders(folder: Path) -> bool:
    """Tell whether the folder holds two or more folders of images, none named like a split."""
    if not folder.is_dir():
        return False
    classes = {f.name for f in class_folders(folder) if images_in(f)}
    return len(classes) > 1 and classes.isdisjoint(SPLITS)


def read_split_folders(folder: Path, name: str, seed: int) -> TaskData:
    """Read `train/`, `test/` and `val/`; without `val/`, hold out a tenth of `train/`.

    Raises:
        DataError: there is no `test/`.
    """
    if not (folder / "test").is_dir():
        raise DataError(
            f"{folder}: found train/ but no test/, expected train/<class>/ and test/<class>/ "
            "(val/ may be absent); add test/, or put all images in <class>/ for a seeded split"
        )
    present = [split for split in SPLITS if (folder / split).is_dir()]
    names = sorted({c.name for split in present for c in class_folders(folder / split)})
    splits = {split: _samples(folder / split, names) for split in present}
    if "val" not in splits:
        splits["train"], splits["val"] = hold_out_tenths(splits["train"], 1, seed)
    return TaskData(name_task(name, names), splits["train"], splits["val"], splits["test"])


def read_class_folders(folder: Path, name: str, seed: int) -> TaskData:
    """Read `<class>/` folders and divide them 80/10/10, stratified."""
    names = [f.name for f in class_folders(folder)]
    train, val, test = hold_out_tenths(_samples(folder, names), 2, seed)
    return TaskData(name_task(name, names), train, val, test)


def _samples(folder: Path, names: Sequence[str]) -> tuple[Sample, ...]:
    return tuple(
        Sample(image, label)
        for label, name in enumerate(names)
        if (folder / name).is_dir()
        for image in images_in(folder / name)
    )


def class_folders(folder: Path) -> list[Path]:
    """Return the visible folders inside, sorted by name."""
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def images_in(folder: Path) -> list[Path]:
    """Return the images directly inside, sorted by name."""
    return sorted(p for p in folder.iterdir() if _is_image(p))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
