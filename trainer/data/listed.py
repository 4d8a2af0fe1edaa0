"""Rows of a list, of whatever format, to a task: texts to classes, splits as named or drawn.

Never opens an image.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from adapters.shown import shown
from trainer.data.images.image_file import ImageFile
from trainer.data.names import SEPARATOR, check_distinct, one_form
from trainer.data.split_names import split_of
from trainer.data.splits import Splits, completed, drawn
from trainer.data.task_data import SPLITS, Sample, TaskData, name_task
from trainer.errors import DataError


class Row(NamedTuple):
    """An image, the texts of its labels, and its split as `known_split` returns it."""

    image: ImageFile
    labels: tuple[str, ...]
    split: str

    @property
    def label(self) -> str:
        """Return the only label; several as lists have them, `cat|dog`, and none as `|`."""
        return SEPARATOR.join(self.labels) or SEPARATOR


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
    several = next((row for row in rows if len(row.labels) != 1), None)
    if names and several:
        rows = [row._replace(labels=_named(where, row, names)) for row in rows]
        names = ()
    known = list(names) or _in_order({row.label for row in rows})
    task = name_task(name, known)
    if not names:
        check_distinct(str(where), known)
    place_of = {str(i) if names else label: i for i, label in enumerate(known)}
    later = "val" if any(row.split == "test" for row in rows) else "test"
    splits: dict[str, list[Sample]] = {}
    for row in rows:
        split = later if row.split == "eval" else row.split
        label = _place(where, row, row.label, place_of)
        splits.setdefault(split, []).append(Sample(row.image, label))
    train, val, test, held_out = _divided(where, splits, seed)
    return TaskData(
        task, train, val, test, dict.fromkeys(SPLITS, where.name), held_out=held_out,
        several="" if several is None else f"{several.image}: has the labels '{several.label}'",
    )  # fmt: skip


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


def label_texts(where: str, label: object) -> tuple[str, ...]:
    """Return the texts of an image's label, each once; of a list those in it.

    Raises:
        DataError: the label is null or empty.
    """
    texts = tuple(map(_text, label if isinstance(label, list) else [label]))
    if not all(texts):
        raise DataError(
            f"{where}: has no label, expected one for each image; add it, or leave the image out"
        )
    return tuple(dict.fromkeys(texts))


def _text(label: object) -> str:
    """Return what tells classes apart; "" for a label that is null.

    Whole numbers are such, also where a table keeps them as 3.0. The `datasets` library writes -1
    for a label that is not known.
    """
    if label is None or label == -1 or label != label:  # noqa: PLR0124 - NaN, as pandas has it
        return ""
    if isinstance(label, bytes):
        label = label.decode(errors="surrogateescape")  # what is no UTF-8 is refused as a name
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return one_form(str(label).strip())


def _in_order(labels: set[str]) -> list[str]:
    """Return labels in the order of their numbers, where all are numbers, else of their names."""
    if all(label.isdecimal() for label in labels):
        return sorted(labels, key=lambda label: (int(label), label))
    return sorted(labels)


def _named(where: Path, row: Row, names: Sequence[str]) -> tuple[str, ...]:
    place_of = {str(i): i for i in range(len(names))}
    return tuple(names[_place(where, row, label, place_of)] for label in row.labels)


def _place(where: Path, row: Row, label: str, place_of: Mapping[str, int]) -> int:
    if label not in place_of:
        raise DataError(
            f"{where}: {row.image} has the label '{shown(label)}', expected 0 to "
            f"{len(place_of) - 1}, as {len(place_of)} classes have names; correct the label or the "
            "names"
        )
    return place_of[label]


def _divided(where: Path, splits: Mapping[str, Sequence[Sample]], seed: int) -> Splits:
    if splits.keys() == {""}:
        return drawn(splits[""], seed)
    if "" in splits:
        raise DataError(
            f"{where}: {len(splits['']):,} images name no split, and others do; name one for "
            "every image, or for none"
        )
    return completed(str(where), splits, seed)
