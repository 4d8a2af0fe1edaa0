"""Plain image folders: `train/<class>/*.jpg` and `test/<class>/*.jpg`, or just `<class>/*.jpg`.

The class names are the folders' names, sorted. Files that are neither images which we take nor
known clutter are kept as strays, so that they are named instead of lost.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from adapters.shown import shown
from trainer.data.names import check_distinct, one_form
from trainer.data.readers.image_files import (
    class_folders,
    holds_images,
    images_in,
    unlabelled_in,
)
from trainer.data.readers.levels import has_training_classes, splits_in
from trainer.data.split_names import splits_named
from trainer.data.splits import completed, held_out_of, hold_out_tenths
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError

Found = tuple[tuple[Sample, ...], dict[Path, str]]
"""The images of a split or folder, and its strays, each with the reason."""


def is_split_folders(folder: Path) -> bool:
    """Tell whether the folder holds `train/<class>/`, under whatever name of that split."""
    return folder.is_dir() and has_training_classes(folder)


def is_class_folders(folder: Path) -> bool:
    """Tell whether the folder holds two or more folders of images, and they are no splits."""
    if not folder.is_dir():
        return False
    classes = {f.name for f in class_folders(folder) if holds_images(f)}
    return len(classes) > 1 and not splits_named(classes)


def read_split_folders(folder: Path, name: str, seed: int) -> TaskData:
    """Read the training, test and validation folders; see `completed` where one is missing.

    Raises:
        DataError: there is neither a test nor a validation folder, two folders are the same split,
            or classes cannot be told apart.
    """
    places = splits_in(folder)
    if not places.keys() & {"test", "val"}:
        raise DataError(_without_test(folder, places["train"]))
    classes = {split: _by_name(place) for split, place in places.items()}
    names = sorted(set().union(*classes.values()))
    check_distinct(str(folder), names)
    found = {split: read_classes(by_name, names) for split, by_name in classes.items()}
    splits = {split: samples for split, (samples, _) in found.items()}
    strays = {path: why for _, strays in found.values() for path, why in strays.items()}
    for place in places.values():
        strays.update(unlabelled_in(place))
    lists = {split: f"{place.relative_to(folder)}/" for split, place in places.items()}
    if "test" not in lists:
        lists = {"train": lists["train"], "test": lists["val"]}
    train, val, test = completed(str(folder), splits, seed)
    held_out = held_out_of(splits)
    return TaskData(name_task(name, names), train, val, test, lists, strays, held_out=held_out)


def _without_test(folder: Path, train: Path) -> str:
    others = [p.name for p in class_folders(folder) if not train.is_relative_to(p)]
    rename = f" (or call {' or '.join(map(shown, others[:3]))} so)" if others else ""
    return (
        f"{folder}: found {train.relative_to(folder)}/ but no test/, expected train/<class>/ and "
        f"test/<class>/ (val/ may be absent); add test/{rename}, or put all images in <class>/ for "
        "a seeded split"
    )


def read_class_folders(folder: Path, name: str, seed: int) -> TaskData:
    """Read `<class>/` folders and divide them 80/10/10, stratified.

    Raises:
        DataError: classes cannot be told apart.
    """
    classes = _by_name(folder)
    names = sorted(classes)
    check_distinct(str(folder), names)
    samples, strays = read_classes(classes, names)
    train, val, test = hold_out_tenths(samples, 2, seed)
    task, held_out = name_task(name, names), ("val", "test")
    return TaskData(task, train, val, test, strays=strays, held_out=held_out)


def read_classes(folders: Mapping[str, Path], names: Iterable[str]) -> Found:
    """Return the images and strays of classes, whose labels are their places in `names`."""
    samples: list[Sample] = []
    strays: dict[Path, str] = {}
    for label, name in enumerate(names):
        if name in folders:
            images, others = images_in(folders[name])
            samples += (Sample(image, label) for image in images)
            strays |= others
    return tuple(samples), strays


def _by_name(folder: Path) -> dict[str, Path]:
    """Return the classes' folders by name; names of two Unicode forms would be one class."""
    folders: dict[str, Path] = {}
    for place in class_folders(folder):
        name = one_form(place.name)
        if name in folders:
            raise DataError(
                f"{folder}: two folders are called '{shown(name)}', in two Unicode forms (NFC and "
                "NFD) that look the same; move the images of one into the other"
            )
        folders[name] = place
    return folders
