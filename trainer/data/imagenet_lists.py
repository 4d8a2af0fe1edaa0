"""Names of ImageNet's classes and labels of its flat validation folder.

From Kaggle's `LOC_synset_mapping.txt` and `LOC_val_solution.csv`, or from the official devkit,
`ILSVRC2012_devkit_t12/data/`, whose class numbers are not in the order of the wnids.
"""

from pathlib import Path

from trainer.data.list_file import read_lines
from trainer.data.matlab import load_variable, whole_numbers
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
        f"{folder / 'val'}: found no folder <wnid>/, expected val/<wnid>/*.JPEG, or beside val/ "
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
