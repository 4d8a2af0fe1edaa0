"""The community VTAB-1k layout: three lists of `images/train800/000000.jpg 307` lines.

A fourth, `train800val200.txt`, names the images of the first two once more, for the last training.
An optional `classes.txt` holds one class name per line; without it they are `class 0`, `class 1`
and so on. Knows nothing of what the task is about.
"""

from pathlib import Path

from trainer.data.readers.files import read_lines
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError

LISTS = {"train": "train800.txt", "val": "val200.txt", "test": "test.txt"}
FOLDERS = {"train": "train800", "val": "val200", "test": "test"}
TOGETHER = "train800val200.txt"
CLASSES = "classes.txt"


def is_vtab(folder: Path) -> bool:
    """Tell whether the folder has this layout."""
    return (folder / LISTS["train"]).is_file()


def read_vtab(folder: Path, name: str) -> TaskData:
    """Read the three lists, and the labels of the one of training and validation images.

    Raises:
        DataError: a list is missing, or a line of it has no path and label in range.
    """
    names = read_class_names(folder / CLASSES)
    splits = {k: _read_list(folder / file, len(names) or None) for k, file in LISTS.items()}
    if not names:
        largest = max((s.label for samples in splits.values() for s in samples), default=0)
        names = [f"class {i}" for i in range(largest + 1)]
    return TaskData(
        name_task(name, names),
        splits["train"],
        splits["val"],
        splits["test"],
        lists=LISTS,
        listed_together=_labels_together(folder, len(names)),
    )


def _labels_together(folder: Path, num_classes: int) -> dict[str, list[int]]:
    path = folder / TOGETHER
    if not path.is_file():
        return {}
    return {TOGETHER: [sample.label for sample in _read_list(path, num_classes)]}


def read_class_names(path: Path) -> list[str]:
    """Return the names of a list, one per line in label order; none where there is no list.

    Raises:
        DataError: a line is blank, or the file is not UTF-8 text.
    """
    if not path.is_file():
        return []
    names = read_lines(path)
    while names and not names[-1]:
        names.pop()
    if "" in names:
        raise DataError(
            f"{path}:{names.index('') + 1}: the line is blank, expected the name of class "
            f"{names.index('')}; write one name per line, in label order"
        )
    return names


def _read_list(path: Path, num_classes: int | None) -> tuple[Sample, ...]:
    if not path.is_file():
        raise DataError(
            f"{path} is missing, expected lines such as 'images/train800/000000.jpg 307'; "
            f"a VTAB-1k folder holds {', '.join(LISTS.values())} and images/"
        )
    return tuple(
        _parse(line, f"{path}:{number}", path.parent, num_classes)
        for number, line in enumerate(read_lines(path), start=1)
        if line
    )


def _parse(line: str, where: str, root: Path, num_classes: int | None) -> Sample:
    image, _, label = line.rpartition(" ")
    if not image or not label.isdecimal():
        raise DataError(
            f"{where}: expected an image's path, a space and a label from 0, found "
            f"{line[:80]!r}; correct the line"
        )
    if num_classes is not None and int(label) >= num_classes:
        raise DataError(
            f"{where}: label {label} is out of range, expected 0 to {num_classes - 1} "
            f"({CLASSES} names {num_classes} classes); correct the label or {CLASSES}"
        )
    return Sample(root / image.strip(), int(label))
