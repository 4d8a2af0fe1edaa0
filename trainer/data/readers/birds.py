"""CUB-200-2011 and NABirds as their archives unpack, and the text lists that they share.

`images.txt` (`<image id> <path>`), `image_class_labels.txt` (`<image id> <class id>`),
`train_test_split.txt` (`<image id> <1 for training>`) and `classes.txt` (`<class id> <name>`),
with `images/`. Every class of CUB's `classes.txt` counts, so one that has lost its images is
noticed. NABirds' names a whole tree of 1,011 groups; the 555 with images are the classes. Their
ids have gaps and are mapped to labels over all lists at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.data.readers.files import read_lines
from trainer.data.splits import hold_out_tenths
from trainer.data.task_data import SPLITS, Sample, TaskData, name_task
from trainer.errors import DataError

IMAGES = "images.txt"
LABELS = "image_class_labels.txt"
SPLIT = "train_test_split.txt"
CLASSES = "classes.txt"
FILES = (IMAGES, LABELS, SPLIT, CLASSES)


@dataclass(frozen=True)
class BirdLists:
    """The four lists, each by the id that starts its lines."""

    images: Mapping[str, str]
    class_ids: Mapping[str, int]
    is_training: Mapping[str, bool]
    names: Mapping[int, str]


def has_bird_lists(folder: Path) -> bool:
    """Tell whether the folder holds the two lists that no other layout has."""
    return (folder / IMAGES).is_file() or (folder / LABELS).is_file()


def read_bird_lists(folder: Path) -> BirdLists:
    """Read the four lists.

    Raises:
        DataError: a list is missing or malformed, or lacks an image that another one names.
    """
    images = _read(folder / IMAGES)
    labels = _read_whole(folder / LABELS)
    split = _read_whole(folder / SPLIT)
    names = {int(key): text for key, text in _read(folder / CLASSES).items() if key.isdecimal()}
    for path, entries in ((folder / LABELS, labels), (folder / SPLIT, split)):
        _expect_all(path, entries, images)
    for image, class_id in labels.items():
        if class_id not in names:
            raise DataError(
                f"{folder / LABELS}: image {image} has class {class_id}, expected one of the "
                f"{len(names)} of {CLASSES}; unpack the lists again"
            )
    return BirdLists(images, labels, {k: v == 1 for k, v in split.items()}, names)


def make_task_data(
    folder: Path, name: str, seed: int, lists: BirdLists, classes: Sequence[tuple[int, str]]
) -> TaskData:
    """Map class ids to labels and hold out a tenth of the training images.

    Args:
        folder: holds `images/`.
        name: the task's id.
        seed: decides what is held out.
        lists: of the folder.
        classes: id and name of each class, in label order.
    """
    label = {class_id: i for i, (class_id, _) in enumerate(classes)}
    samples = {
        training: tuple(
            Sample(folder / "images" / path, label[lists.class_ids[image]])
            for image, path in lists.images.items()
            if lists.is_training[image] is training
        )
        for training in (True, False)
    }
    train, val = hold_out_tenths(samples[True], 1, seed)
    task = name_task(name, [text for _, text in classes])
    return TaskData(task, train, val, samples[False], dict.fromkeys(SPLITS, IMAGES))


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise DataError(f"{path} is missing; the folder holds {', '.join(FILES)} and images/")
    entries: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        key, _, value = line.partition(" ")
        if not key:
            continue
        if not value or key in entries:
            found = f"the id {key} a second time" if value else repr(line[:80])
            raise DataError(
                f"{path}:{number}: expected a new id, a space and a value, found {found}; "
                "unpack the lists again"
            )
        entries[key] = value.strip()
    return entries


def _read_whole(path: Path) -> dict[str, int]:
    entries = _read(path)
    for key, value in entries.items():
        if not value.isdecimal():
            raise DataError(
                f"{path}: {key} has {value[:40]!r}, expected a whole number; unpack the lists again"
            )
    return {key: int(value) for key, value in entries.items()}


def _expect_all(path: Path, entries: Mapping[str, int], images: Mapping[str, str]) -> None:
    missing = [image for image in images if image not in entries]
    if missing:
        raise DataError(
            f"{path}: no line for image {missing[0]} of {IMAGES}, expected one for each of its "
            f"{len(images)}, {len(missing)} are missing; unpack the lists again"
        )


def is_cub(folder: Path) -> bool:
    """Tell whether the folder holds the lists, and they are not those of NABirds."""
    return has_bird_lists(folder) and not is_nabirds(folder)


def read_cub(folder: Path, name: str, seed: int) -> TaskData:
    """Read the lists; a tenth of the training images is held out for validation.

    Raises:
        DataError: a list is missing or malformed.
    """
    lists = read_bird_lists(folder)
    classes = [(class_id, _tidy(text)) for class_id, text in sorted(lists.names.items())]
    return make_task_data(folder, name, seed, lists, classes)


def _tidy(text: str) -> str:
    """`001.Black_footed_Albatross` → `Black footed Albatross`."""
    number, dot, rest = text.partition(".")
    return (rest if dot and number.isdecimal() else text).replace("_", " ")


def is_nabirds(folder: Path) -> bool:
    """Tell whether the folder has the lists with a hierarchy, or with ids that are no numbers."""
    if not has_bird_lists(folder):
        return False
    return (folder / "hierarchy.txt").is_file() or _has_named_images(folder / IMAGES)


def read_nabirds(folder: Path, name: str, seed: int) -> TaskData:
    """Read the lists; a tenth of the training images is held out for validation.

    Raises:
        DataError: a list is missing or malformed.
    """
    lists = read_bird_lists(folder)
    used = sorted(set(lists.class_ids.values()))
    return make_task_data(folder, name, seed, lists, [(i, lists.names[i]) for i in used])


def _has_named_images(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open(encoding="utf-8") as lines:
        first = next(lines, "").partition(" ")[0]
    return bool(first) and not first.isdecimal()
