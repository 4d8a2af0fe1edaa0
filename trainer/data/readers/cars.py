"""The official Stanford Cars archives as they unpack: MATLAB lists and folders of images.

`devkit/cars_train_annos.mat`, `devkit/cars_meta.mat`, `cars_test_annos_withlabels.mat` (in
`devkit/` or next to it), `cars_train/` and `cars_test/`. Labels in the lists start at 1.
"""

from pathlib import Path

from trainer.data.readers.files import load_variable, whole_numbers
from trainer.data.splits import hold_out_tenths
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError

TRAIN_LIST = "cars_train_annos.mat"
TEST_LIST = "cars_test_annos_withlabels.mat"
_BELONGS = (
    f"the Stanford Cars folder holds devkit/{TRAIN_LIST}, devkit/cars_meta.mat, {TEST_LIST}, "
    "cars_train/ and cars_test/"
)


def is_cars(folder: Path) -> bool:
    """Tell whether the folder holds the unpacked archives, or some of them."""
    return (folder / "devkit").is_dir() or (folder / "cars_train").is_dir()


def read_cars(folder: Path, name: str, seed: int) -> TaskData:
    """Read the lists; a tenth of the training images is held out for validation.

    Raises:
        DataError: a list is missing, damaged or without labels.
    """
    devkit = folder / "devkit"
    test_list = folder / TEST_LIST
    test_list = test_list if test_list.is_file() else devkit / TEST_LIST
    names = [str(n) for n in load_variable(devkit / "cars_meta.mat", "class_names", _BELONGS)]
    listed = _read_list(devkit / TRAIN_LIST, _image_root(folder, "cars_train"))
    train, val = hold_out_tenths(listed, 1, seed)
    test = _read_list(test_list, _image_root(folder, "cars_test"))
    lists = {"train": TRAIN_LIST, "val": TRAIN_LIST, "test": TEST_LIST}
    return TaskData(name_task(name, names), train, val, test, lists)


def _image_root(folder: Path, name: str) -> Path:
    """Some mirrors wrap each folder of images in another of the same name."""
    nested = folder / name / name
    return nested if nested.is_dir() else folder / name


def _read_list(path: Path, root: Path) -> tuple[Sample, ...]:
    rows = load_variable(path, "annotations", _BELONGS)
    fields = rows.dtype.names or ()
    if "class" not in fields or "fname" not in fields:
        raise DataError(
            f"{path}: expected the fields 'class' and 'fname', found {', '.join(fields) or 'none'};"
            f" the test list with labels is {TEST_LIST}"
        )
    labels = whole_numbers(path, "class", rows["class"])
    return tuple(
        Sample(root / str(file), label - 1)
        for file, label in zip(rows["fname"], labels, strict=True)
    )
