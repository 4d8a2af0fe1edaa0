"""NABirds as its archive unpacks: the text lists of `bird_lists`, `hierarchy.txt` and `images/`.

`classes.txt` names a whole tree of 1,011 groups; the 555 with images are the classes. Their ids
have gaps and are mapped to labels over all lists at once.
"""

from pathlib import Path

from trainer.data.bird_lists import IMAGES, has_bird_lists, make_task_data, read_bird_lists
from trainer.data.task_data import TaskData


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
