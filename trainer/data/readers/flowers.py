"""Oxford 102 Flowers as its page gives it: `setid.mat`, `imagelabels.mat` and `jpg/`.

The three splits are the official ones (`trnid`, `valid`, `tstid`); images and labels are numbered
from 1. The files hold no names of the classes: torchvision's list gives them.
"""

from pathlib import Path

from torchvision.datasets import Flowers102

from trainer.data.readers.files import load_variable, whole_numbers
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError

SETS = "setid.mat"
LABELS = "imagelabels.mat"
_VARIABLES = {"train": "trnid", "val": "valid", "test": "tstid"}
_BELONGS = f"the Oxford Flowers folder holds {SETS}, {LABELS} and jpg/"


def is_flowers(folder: Path) -> bool:
    """Tell whether the folder holds the page's files, or some of them."""
    return (folder / SETS).is_file() or (folder / LABELS).is_file()


def read_flowers(folder: Path, name: str) -> TaskData:
    """Read the official training, validation and test lists.

    Raises:
        DataError: a file is missing or damaged, or a list names an image without a label.
    """
    path = folder / LABELS
    labels = whole_numbers(path, "labels", load_variable(path, "labels", _BELONGS))
    splits = {split: _read_set(folder, key, labels) for split, key in _VARIABLES.items()}
    lists = {split: f"{SETS} ({key})" for split, key in _VARIABLES.items()}
    task = name_task(name, _class_names(max(labels, default=1)))
    return TaskData(task, splits["train"], splits["val"], splits["test"], lists)


def _read_set(folder: Path, key: str, labels: list[int]) -> tuple[Sample, ...]:
    path = folder / SETS
    numbers = whole_numbers(path, key, load_variable(path, key, _BELONGS))
    unknown = [n for n in numbers if not 1 <= n <= len(labels)]
    if unknown:
        raise DataError(
            f"{path}: {key!r} names image {unknown[0]}, expected 1 to {len(labels)} as in "
            f"{LABELS}; fetch both files again"
        )
    return tuple(
        Sample(folder / "jpg" / f"image_{number:05d}.jpg", labels[number - 1] - 1)
        for number in numbers
    )


def _class_names(count: int) -> list[str]:
    official: list[str] = Flowers102.classes
    return official if count == len(official) else [f"class {i}" for i in range(1, count + 1)]
