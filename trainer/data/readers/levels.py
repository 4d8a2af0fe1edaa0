"""Levels of folders: which folders are splits of classes, and folders that only wrap another.

Knows neither labels nor lists.
"""

from pathlib import Path

from trainer.data.readers.image_files import class_folders, holds_images
from trainer.data.split_names import splits_named
from trainer.errors import DataError


def unwrapped(folder: Path) -> Path:
    """Return where folders lead that hold nothing but one more folder of folders.

    Archives are often packed so: `dataset/dataset/train/`, or `train/train/<class>/`.
    """
    while (inside := _only_folder(folder)) and class_folders(inside) and not holds_images(inside):
        folder = inside
    return folder


def splits_in(folder: Path) -> dict[str, Path]:
    """Return the folder of the classes of each split that is there: train, val, test.

    Raises:
        DataError: two folders are the same split.
    """
    found: dict[str, list[Path]] = {}
    for inside, split in _split_folders(folder):
        found.setdefault(split, []).append(inside)
    for place in found.pop("eval", []):
        found.setdefault("test" if "test" not in found else "val", []).append(place)
    for split, places in found.items():
        if len(places) > 1:
            names = " and ".join(f"{place.name}/" for place in places)
            raise DataError(
                f"{folder}: {names} are both names of the {split} split, expected one folder for "
                "each split; rename, merge or move all but one"
            )
    return {split: unwrapped(places[0]) for split, places in found.items()}


def has_training_classes(folder: Path) -> bool:
    """Tell whether a folder inside is the training split, under whatever name, and has classes."""
    return any(
        split == "train" and class_folders(place) and not is_flat(place)
        for place, split in _split_folders(folder)
    )


def is_flat(folder: Path) -> bool:
    """Tell whether a split's images lie in no class's folder: `train/`, or `train/train/`."""
    inside = class_folders(folder)
    named = splits_named(place.name for place in inside)
    is_wrapped = len(inside) == len(named) == 1 and holds_images(inside[0])
    return is_wrapped or (holds_images(folder) and not inside)


def holds_splits(folder: Path) -> bool:
    """Tell whether all that is inside are two or more splits, none of images alone."""
    inside = class_folders(folder)
    named = splits_named(place.name for place in inside)
    return len(inside) == len(named) > 1 and not any(map(holds_images, inside))


def _only_folder(folder: Path) -> Path | None:
    inside = class_folders(folder)
    return inside[0] if len(inside) == 1 and not holds_images(folder) else None


def _split_folders(folder: Path) -> list[tuple[Path, str]]:
    """Return the folders called as splits that may be some, each with its split.

    Under an unusual name one holds images, too; and no whole task of its own.
    """
    inside = class_folders(folder)
    named = splits_named(place.name for place in inside)
    return [
        (place, named[place.name])
        for place in inside
        if place.name in named
        and (place.name == named[place.name] or _holds_images_somewhere(unwrapped(place)))
        and not holds_splits(place)
    ]


def _holds_images_somewhere(folder: Path) -> bool:
    return holds_images(folder) or any(map(holds_images, class_folders(folder)))
