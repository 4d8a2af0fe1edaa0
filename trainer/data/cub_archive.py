"""CUB-200-2011 as its archive unpacks: the text lists of `bird_lists` and `images/`.

Every class of `classes.txt` counts, so one that has lost its images is noticed.
"""

from pathlib import Path

from trainer.data.bird_lists import has_bird_lists, make_task_data, read_bird_lists
from trainer.data.nabirds_archive import is_nabirds
from trainer.data.task_data import TaskData


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
