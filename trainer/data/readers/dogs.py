"""Stanford Dogs as its archives unpack: `train_list.mat`, `test_list.mat` and `Images/`.

Labels in the lists start at 1; the folders name the classes: `n02085620-Chihuahua`.
"""

from pathlib import Path, PurePosixPath

from trainer.data.readers.files import load_variable, whole_numbers
from trainer.data.splits import hold_out_tenths
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError

TRAIN_LIST = "train_list.mat"
TEST_LIST = "test_list.mat"
_BELONGS = f"the Stanford Dogs folder holds {TRAIN_LIST}, {TEST_LIST} and Images/"


def is_dogs(folder: Path) -> bool:
    """Tell whether the folder holds one of the lists."""
    return (folder / TRAIN_LIST).is_file() or (folder / TEST_LIST).is_file()


def read_dogs(folder: Path, name: str, seed: int) -> TaskData:
    """Read the lists; a tenth of the training images is held out for validation.

    Raises:
        DataError: a list is missing or damaged.
    """
    listed = _read_list(folder, TRAIN_LIST)
    test = _read_list(folder, TEST_LIST)
    train, val = hold_out_tenths(listed, 1, seed)
    lists = {"train": TRAIN_LIST, "val": TRAIN_LIST, "test": TEST_LIST}
    return TaskData(name_task(name, _class_names((*listed, *test))), train, val, test, lists)


def _read_list(folder: Path, file: str) -> tuple[Sample, ...]:
    path = folder / file
    images = load_variable(path, "file_list", _BELONGS)
    labels = whole_numbers(path, "labels", load_variable(path, "labels", _BELONGS))
    if len(images) != len(labels):
        raise DataError(
            f"{path}: {len(images)} images and {len(labels)} labels, expected as many of each; "
            "fetch the archive again"
        )
    root = folder / "Images"
    return tuple(
        Sample(root / PurePosixPath(str(image)), label - 1)
        for image, label in zip(images, labels, strict=True)
    )


def _class_names(samples: tuple[Sample, ...]) -> list[str]:
    folders = {sample.label: PurePosixPath(str(sample.path)).parent.name for sample in samples}
    count = max(folders, default=0) + 1
    return [_tidy(folders.get(label, f"class {label + 1}")) for label in range(count)]


def _tidy(folder: str) -> str:
    return (folder.partition("-")[2] or folder).replace("_", " ")
