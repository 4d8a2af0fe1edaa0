"""Rows of a list, of whatever format, to a task: texts to classes, splits as named or drawn.

Never opens an image.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from adapters.shown import shown
from trainer.data.images.image_file import ImageFile
from trainer.data.names import check_distinct, one_form
from trainer.data.split_names import split_of
from trainer.data.splits import Splits, completed, drawn
from trainer.data.task_data import SPLITS, Sample, TaskData, name_task
from trainer.errors import DataError

_NAMED = 5
"""Labels that a message names."""


class Row(NamedTuple):
    """An image, the text of its label, and its split as `known_split` returns it."""

    image: ImageFile
    label: str
    split: str


def task_of(
    where: Path, name: str, rows: Sequence[Row], seed: int, names: Sequence[str] = ()
) -> TaskData:
    """Make a task of rows; without splits, divide its images 80/10/10, stratified.

    Args:
        where: the list, for messages.
        name: the task's id.
        rows: in the order of the list.
        seed: of the splits that no row names.
        names: of the classes by their numbers, which labels are then; without any, the distinct
            labels are the names, in the order of their numbers or else of the alphabet.

    Raises:
        DataError: some rows name a split and others none, or labels cannot be told apart or are
            none of the names.
    """
    known = list(names) or _in_order({row.label for row in rows})
    task = name_task(name, known)
    if not names:
        check_distinct(str(where), known)
    number = {str(i): i for i in range(len(known))} if names else _places(known)
    _check_known(where, rows, number)
    later = "val" if any(row.split == "test" for row in rows) else "test"
    splits: dict[str, list[Sample]] = {}
    for row in rows:
        split = later if row.split == "eval" else row.split
        splits.setdefault(split, []).append(Sample(row.image, number[row.label]))
    train, val, test, is_drawn = _divided(where, splits, seed)
    lists = dict.fromkeys(SPLITS, where.name)
    return TaskData(task, train, val, test, lists, is_test_drawn=is_drawn)


def known_split(where: str, written: str) -> str:
    """Return a split under our name, `eval` for whichever of val and test is missing; "" for none.

    Raises:
        DataError: it is none that we know.
    """
    split = split_of(written) if written else ""
    if split is None:
        raise DataError(
            f"{where}: the split is '{shown(written)}', expected train, val or test; correct it"
        )
    return split


def single_label(where: str, labels: Sequence[object]) -> str:
    """Return the text of an image's only label, in one Unicode form; the one place that asks so.

    Raises:
        DataError: there is none, it is null, or there are several.
    """
    texts = list(dict.fromkeys(label_text(where, label) for label in labels))
    if len(texts) > 1:
        raise DataError(
            f"{where}: has the labels {', '.join(map(shown, texts[:_NAMED]))}, expected one; keep "
            "one label of each image, or leave the image out"
        )
    if not texts or not texts[0]:
        raise DataError(
            f"{where}: has no label, expected one for each image; add it, or leave the image out"
        )
    return texts[0]


def label_text(where: str, label: object) -> str:
    """Return a label as the text that tells classes apart; "" for one that is null.

    Numbers of classes are whole, also those that a table keeps as 3.0. The `datasets` library
    writes -1 for a label that is not known.

    Raises:
        DataError: it is a fraction, or neither a number nor a text.
    """
    if label is None or label == -1 or label != label:  # noqa: PLR0124 - NaN, as pandas has it
        return ""
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if not isinstance(label, str | int):
        raise DataError(
            f"{where}: has the label {shown(str(label))}, expected a text or a whole number; "
            "correct it"
        )
    return one_form(str(label).strip())


def _in_order(labels: set[str]) -> list[str]:
    """Return labels in the order of their numbers, where all are numbers, else of their names."""
    if all(label.isdecimal() for label in labels):
        return sorted(labels, key=lambda label: (int(label), label))
    return sorted(labels)


def _places(names: Sequence[str]) -> Mapping[str, int]:
    return {name: i for i, name in enumerate(names)}


def _check_known(where: Path, rows: Sequence[Row], number: Mapping[str, int]) -> None:
    for row in rows:
        if row.label not in number:
            raise DataError(
                f"{where}: {row.image} has the label '{shown(row.label)}', expected 0 to "
                f"{len(number) - 1}, as there are names of {len(number)} classes; correct the "
                "label or the names"
            )


def _divided(where: Path, splits: Mapping[str, Sequence[Sample]], seed: int) -> Splits:
    if splits.keys() == {""}:
        return drawn(splits[""], seed)
    if "" in splits:
        raise DataError(
            f"{where}: {len(splits['']):,} images name no split, and others do; name one for "
            "every image, or for none"
        )
    return completed(str(where), splits, seed)
