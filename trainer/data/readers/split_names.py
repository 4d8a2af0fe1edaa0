"""Which folder holds which split, under the names that people give them."""

import re
from pathlib import Path

from trainer.data.readers.image_files import class_folders, holds_images
from trainer.errors import DataError

_NAMES = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "dev": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "eval": "eval",
    "evaluation": "eval",
}
"""The word that is left of a name -> its split; `eval` is whichever of val and test is missing."""

_FILLING = {"set", "data", "dataset", "images", "imgs", "image", "img", "split", "folder", "seg"}
_WORD = re.compile(r"[a-z]+")


def split_of(name: str) -> str | None:
    """Return train, val, test or eval for a folder's name; None for one that is no split's.

    Case, numbers and words such as `set` or `images` do not count: `Train`, `training_set`,
    `val2017`, `testset`.
    """
    words = [word for word in _WORD.findall(name.lower()) if word not in _FILLING]
    word = words[0] if len(words) == 1 else ""
    for ending in ("set", "data", "images"):
        if word.removesuffix(ending) in _NAMES:
            word = word.removesuffix(ending)
    return _NAMES.get(word)


def is_split_of_classes(folder: Path) -> bool:
    """Tell whether a folder is called as a split; under an unusual name it holds images, too."""
    split = split_of(folder.name)
    return split is not None and (folder.name == split or _holds_images_somewhere(folder))


def splits_in(folder: Path) -> dict[str, Path]:
    """Return the folder of each split that is there: train, val, test.

    Raises:
        DataError: two folders are the same split.
    """
    found: dict[str, list[Path]] = {}
    for inside in filter(is_split_of_classes, class_folders(folder)):
        found.setdefault(str(split_of(inside.name)), []).append(inside)
    for place in found.pop("eval", []):
        found.setdefault("test" if "test" not in found else "val", []).append(place)
    for split, places in found.items():
        if len(places) > 1:
            names = " and ".join(f"{place.name}/" for place in places)
            raise DataError(
                f"{folder}: {names} are both names of the {split} split, expected one folder for "
                "each split; rename, merge or move all but one"
            )
    return {split: places[0] for split, places in found.items()}


def _holds_images_somewhere(folder: Path) -> bool:
    return holds_images(folder) or any(map(holds_images, class_folders(folder)))


def names_splits(names: set[str]) -> bool:
    """Tell whether folders of these names are splits rather than classes."""
    splits = {split for name in names if (split := split_of(name))}
    return "train" in splits or len(splits) > 1 or not names.isdisjoint({"val", "test"})
