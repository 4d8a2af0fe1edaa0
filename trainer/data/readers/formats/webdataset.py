"""WebDataset shards: tars in which files of one key are one sample, as `0001.jpg` and `0001.cls`.

The label is the text of `.cls`, or `label` or `cls` in `.json`. A `classes.txt` next to the shards
names the classes of labels that are numbers. Images stay where they are, and are read in place.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from trainer.data.images.image_file import ByteRange
from trainer.data.listed import Row, label_texts, task_of
from trainer.data.readers.formats.shards import shards_at, splits_of
from trainer.data.readers.formats.tar_members import members_of
from trainer.data.readers.image_files import TAKEN
from trainer.data.readers.vtab import CLASSES, read_class_names
from trainer.data.task_data import TaskData
from trainer.errors import DataError

_ENDINGS = (".tar", ".tar.gz", ".tgz")
_LABELS = (".cls", ".json")
_LOOKED_AT = 64
"""Files of a tar that tell whether it is a shard."""


def is_webdataset(place: Path) -> bool:
    """Tell whether a place is shards: a tar or a pattern of tars, or a folder of such shards."""
    if not place.is_dir():
        return place.name.lower().endswith(_ENDINGS)
    return any(map(_is_shard, shards_at(place, ".tar")))


def read_webdataset(place: Path, name: str, seed: int) -> TaskData:
    """Read the shards' lists of files and their labels; splits are those of the shards' names.

    Raises:
        DataError: there is no shard, or one is missing or cut; or a sample has no image, several
            images, no label, or a label that cannot be read.
    """
    shards = shards_at(place, *_ENDINGS)
    if not shards:
        raise DataError(f"{name}: {place} matches no file, expected .tar shards; correct DATA=")
    splits = splits_of(shards)
    rows = [row for shard in shards for row in _rows(shard, splits[shard])]
    return task_of(place, name, rows, seed, read_class_names(shards[0].parent / CLASSES))


def _is_shard(tar: Path) -> bool:
    try:
        endings: dict[str, set[str]] = {}
        for member in islice(members_of(tar), _LOOKED_AT):
            key, ending = _divided(member.name)
            endings.setdefault(key, set()).add(ending)
    except DataError:
        return False
    return any(found & TAKEN and found & {*_LABELS} for found in endings.values())


def _rows(shard: Path, split: str) -> Iterator[Row]:
    samples: dict[str, dict[str, ByteRange]] = {}
    for member in members_of(shard):
        key, ending = _divided(member.name)
        if ending in samples.setdefault(key, {}):
            raise DataError(f"{member}: is in the shard twice; write the shard again")
        samples[key][ending] = member
    for key, parts in samples.items():
        image = _image(shard, key, parts)
        yield Row(image, _labels(f"{shard}!{key}", parts), split)


def _divided(name: str) -> tuple[str, str]:
    """Divide a name at the first point of its last part, as WebDataset does; endings are small."""
    folder, slash, last = name.rpartition("/")
    stem, point, ending = last.partition(".")
    return folder + slash + stem, (point + ending).lower()


def _image(shard: Path, key: str, parts: Mapping[str, ByteRange]) -> ByteRange:
    images = [part for ending, part in parts.items() if Path(f"x{ending}").suffix in TAKEN]
    if len(images) != 1:
        found = ", ".join(sorted(parts))
        raise DataError(
            f"{shard}!{key}: has {len(images)} images among {found}, expected one, a .jpg, .png or "
            ".webp; write the shard again"
        )
    return images[0]


def _labels(where: str, parts: Mapping[str, ByteRange]) -> tuple[str, ...]:
    part = next((parts[ending] for ending in _LABELS if ending in parts), None)
    if part is None:
        raise DataError(
            f"{where}: has no label among {', '.join(sorted(parts))}, expected .cls, or .json with "
            "'label'; write the shard again"
        )
    try:
        text = part.read_bytes().decode("utf-8-sig")
        found: Any = json.loads(text) if part is parts.get(".json") else text
    except ValueError as error:  # no UTF-8, or no JSON
        raise DataError(f"{part}: cannot be read ({error}); write the shard again") from error
    if isinstance(found, dict):
        found = found.get("label", found.get("cls"))
    return label_texts(where, found)
