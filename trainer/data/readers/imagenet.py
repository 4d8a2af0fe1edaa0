"""ImageNet-1k: `train/<wnid>/`, and `val/<wnid>/` or `val/` flat with a list of labels.

The official validation images are the test split; a tenth of the training images validates.
Labels follow the sorted wnids (`n01440764` is 0), as everywhere else. Names of classes and labels
of the flat folder come from Kaggle's `LOC_synset_mapping.txt` and `LOC_val_solution.csv`, or from
the official devkit, `ILSVRC2012_devkit_t12/data/`, whose class numbers are not in the order of
the wnids.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from trainer.data.readers.files import load_variable, read_lines, whole_numbers
from trainer.data.readers.folders import Found, read_classes
from trainer.data.readers.image_files import class_folders
from trainer.data.splits import hold_out_tenths
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError

NAMES = "LOC_synset_mapping.txt"
SOLUTION = "LOC_val_solution.csv"
DEVKIT = Path("ILSVRC2012_devkit_t12", "data")
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
_BELONGS = f"{DEVKIT} holds meta.mat and {GROUND_TRUTH}"


def read_names(folder: Path) -> dict[str, str]:
    """Return the name of each wnid, from whichever list is there; empty without any."""
    if (folder / NAMES).is_file():
        pairs = (line.partition(" ") for line in read_lines(folder / NAMES))
        return {wnid: name for wnid, _, name in pairs if name}
    if (folder / DEVKIT / "meta.mat").is_file():
        return dict(_synsets(folder / DEVKIT / "meta.mat").values())
    return {}


def read_val_wnids(folder: Path) -> tuple[Path, dict[str, str]]:
    """Read which class each image of `val/` shows.

    Args:
        folder: holds one of the lists.

    Returns:
        The list that was read, and the wnid of each file name.

    Raises:
        DataError: there is no list, or it is malformed.
    """
    if (folder / SOLUTION).is_file():
        return folder / SOLUTION, _read_solution(folder / SOLUTION)
    truth = folder / DEVKIT / GROUND_TRUTH
    if truth.is_file():
        return truth, _read_ground_truth(truth)
    raise DataError(
        f"{folder / 'val'}: found no folder <wnid>/, expected val/<wnid>/*.JPEG, or next to val/ "
        f"the list {SOLUTION} or {DEVKIT}/ with {GROUND_TRUTH}; put one of them there"
    )


def _read_solution(path: Path) -> dict[str, str]:
    wnids: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        image, _, boxes = line.partition(",")
        if not image or image == "ImageId":
            continue
        if not boxes:
            raise DataError(
                f"{path}:{number}: expected 'ILSVRC2012_val_00000001,n01751748 …', found "
                f"{line[:80]!r}; fetch the list again"
            )
        wnids[f"{image}.JPEG"] = boxes.split()[0]
    return wnids


def _read_ground_truth(path: Path) -> dict[str, str]:
    synsets = _synsets(path.with_name("meta.mat"))
    wnids: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.isdecimal() or int(line) not in synsets:
            raise DataError(
                f"{path}:{number}: expected a class number of meta.mat, found {line[:40]!r}; "
                "unpack the devkit again"
            )
        wnids[f"ILSVRC2012_val_{number:08d}.JPEG"] = synsets[int(line)][0]
    return wnids


def _synsets(path: Path) -> dict[int, tuple[str, str]]:
    """Return wnid and words by class number, of the leaves only."""
    rows = load_variable(path, "synsets", _BELONGS)
    fields = ("ILSVRC2012_ID", "WNID", "words", "num_children")
    if not set(fields) <= set(rows.dtype.names or ()):
        raise DataError(
            f"{path}: expected synsets with {', '.join(fields)}, found others; unpack the devkit "
            "again"
        )
    ids, children = (whole_numbers(path, key, rows[key]) for key in (fields[0], fields[3]))
    texts = zip(ids, children, rows["WNID"], rows["words"], strict=True)
    return {i: (str(wnid), str(words)) for i, below, wnid, words in texts if below == 0}


_WNID = re.compile(r"n\d{8}")


def is_imagenet(folder: Path) -> bool:
    """Tell whether `train/` holds folders named by wnids, and no `test/` has any."""
    return bool(_wnids(folder / "train")) and not _wnids(folder / "test")


def read_imagenet(folder: Path, name: str, seed: int) -> TaskData:
    """Read the training folders and the official validation images.

    Raises:
        DataError: `val/` is missing, or its images have no labels.
    """
    wnids = _wnids(folder / "train")
    label = {wnid: i for i, wnid in enumerate(wnids)}
    listed, strays = _in_folders(folder / "train", label)
    source, (test, others) = _read_val(folder, label)
    train, val = hold_out_tenths(listed, 1, seed)
    names = read_names(folder)
    task = name_task(name, [names.get(wnid, wnid) for wnid in wnids])
    lists = {"train": "train/", "val": "train/", "test": source}
    return TaskData(task, train, val, test, lists, strays | others)


def _wnids(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [f.name for f in class_folders(folder) if _WNID.fullmatch(f.name)]


def _read_val(folder: Path, label: Mapping[str, int]) -> tuple[str, Found]:
    root = folder / "val"
    if not root.is_dir():
        raise DataError(
            f"{root}/ is missing; the ImageNet folder holds train/<wnid>/ and val/, whose 50,000 "
            "images are the test split"
        )
    inside = _wnids(root)
    if inside:
        _expect_known(root, inside, label)
        return "val/", _in_folders(root, label)
    source, wnids = read_val_wnids(folder)
    _expect_known(source, list(wnids.values()), label)
    test = tuple(Sample(root / file, label[wnid]) for file, wnid in wnids.items())
    return source.name, (test, {})


def _in_folders(root: Path, label: Mapping[str, int]) -> Found:
    return read_classes({wnid: root / wnid for wnid in label if (root / wnid).is_dir()}, label)


def _expect_known(where: Path, wnids: list[str], label: Mapping[str, int]) -> None:
    unknown = [w for w in wnids if w not in label]
    if unknown:
        raise DataError(
            f"{where}: names {unknown[0]}, expected one of the {len(label)} classes of train/; "
            "unpack that class there"
        )
