"""COCO's lists: JSON of `images`, `annotations` and `categories`; an image's class is its category.

Boxes and masks are not read. Several annotations of one category are one label. As exported by
Roboflow, there is a list next to the images of each split.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters.shown import shown
from trainer.data.images.image_file import ImageFile
from trainer.data.listed import Row, task_of
from trainer.data.names import one_form
from trainer.data.readers.formats.shards import dividing
from trainer.data.readers.image_files import class_folders
from trainer.data.split_names import split_of, splits_named
from trainer.data.task_data import TaskData
from trainer.errors import DataError

_EXPORTED: Final = "_annotations.coco.json"
_KEYS: Final = re.compile(rb'"(?:images|annotations|categories)"\s*:\s*\[\s*\{')
_LOOKED_AT: Final = 1 << 20
"""Bytes of a file that tell whether it is such a list."""


class _List(NamedTuple):
    """What a file lists: images by their ids, categories by theirs, and which are together."""

    files: Mapping[Any, str]
    categories: Mapping[int, str]
    annotated: Mapping[Any, list[int]]


def is_coco(place: Path) -> bool:
    """Tell whether a place is such a list, or a folder that holds some."""
    return bool(_lists(place))


def read_coco(place: Path, name: str, seed: int) -> TaskData:
    """Read the lists; splits are those of the lists' names, or of their folders'.

    Classes are the categories that an image has. Images that nothing annotates are strays.

    Raises:
        DataError: a list is malformed, or lists differ in the names of categories.
    """
    place = place.absolute()  # as images may be that it names
    splits = _splits(_lists(place))
    lists = {path: _read(path) for path in splits}
    categories = _categories(place, lists)
    rows: list[Row] = []
    strays: dict[ImageFile, str] = {}
    for path, found in lists.items():
        root = _root(place, path, found, splits[path])
        for image, file in found.files.items():
            labels = dict.fromkeys(categories[one] for one in found.annotated.get(image, ()))
            if labels:
                rows.append(Row(root / file, tuple(labels), splits[path]))
            else:
                strays[root / file] = f"{path.name} has no annotation of it"
    return replace(task_of(place, name, rows, seed), strays=strays)


def _lists(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place] if place.suffix.lower() == ".json" and _is_list(place) else []
    folders = [place, place / "annotations"]
    found = [path for folder in folders if folder.is_dir() for path in folder.glob("*.json")]
    exported = [folder / _EXPORTED for folder in class_folders(place)]
    return sorted(path for path in (*found, *exported) if _is_list(path))


def _is_list(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _KEYS.search(file.read(_LOOKED_AT)) is not None


def _splits(lists: Sequence[Path]) -> dict[Path, str]:
    """Return each list's split: by its name, as `instances_train2017.json`, or by its folder's."""
    by_name = splits_named({path.stem for path in lists})
    return dividing(
        {path: by_name.get(path.stem) or split_of(path.parent.name) or "" for path in lists}
    )


def _read(path: Path) -> _List:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
        files = {image["id"]: str(image["file_name"]) for image in document["images"]}
        names = {int(one["id"]): one_form(str(one["name"])) for one in document["categories"]}
        annotated: dict[Any, list[int]] = {}
        for annotation in document["annotations"]:
            annotated.setdefault(annotation["image_id"], []).append(int(annotation["category_id"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: no list as COCO has them ({type(error).__name__}: {error}); expected JSON "
            "with images (id, file_name), annotations (image_id, category_id) and categories (id, "
            "name)"
        ) from error
    strange = [image for image in annotated if image not in files]
    unknown = {one for ids in annotated.values() for one in ids} - names.keys()
    if strange or unknown:
        what = f"image {strange[0]}" if strange else f"category {min(unknown)}"
        raise DataError(f"{path}: an annotation names {what}, which the list has not; correct it")
    return _List(files, names, annotated)


def _categories(place: Path, lists: Mapping[Path, _List]) -> dict[int, str]:
    """Return the names of the categories by their ids, which all lists have alike."""
    categories: dict[int, str] = {}
    for path, found in lists.items():
        for number, name in found.categories.items():
            if categories.setdefault(number, name) != name:
                raise DataError(
                    f"{path}: category {number} is '{shown(name)}', and in another list of {place} "
                    f"'{shown(categories[number])}'; give each id one name"
                )
    return categories


def _root(place: Path, path: Path, found: _List, split: str) -> Path:
    """Return the folder that the list's images are relative to: where the first of them is."""
    base = path.parent.parent if path.parent.name == "annotations" else path.parent
    base = place if place.is_dir() else base
    bases = [one for one in (base, base / "images") if one.is_dir()]
    inside = [folder for one in bases for folder in (*class_folders(one), one)]
    inside.sort(key=lambda folder: split_of(folder.name) != (split or None))
    first = next(iter(found.files.values()), "")
    places = (folder for folder in (path.parent, *inside) if (folder / first).is_file())
    return next(places, path.parent)
