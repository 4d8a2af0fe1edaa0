"""Labels that are numbers, such as ages, prices or angles."""

import re
from bisect import bisect_right
from dataclasses import replace
from statistics import quantiles
from typing import Final

from adapters.artifact.target import MOST
from adapters.shown import shown
from trainer.data.labels.change import changed
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError

OUTPUT: Final = "value"
"""The name of the head's only output, in place of class names."""

_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_STRATA: Final = 10


def number_of(text: str) -> float | None:
    """Return a decimal number; None for any other text, and for one beyond all bounds."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if abs(number) <= MOST else None


def with_numbers(data: TaskData) -> TaskData:
    """Return a regression task: a sample's target is the number that its label says.

    A sample's `label` is the tenth of the numbers that its own is in, so that splits have numbers
    of all sizes.

    Args:
        data: as a reader found it, with the numbers' texts as class names.

    Raises:
        DataError: a label is no number.
    """
    numbers = [_checked(data.task.id, text) for text in data.task.class_names]
    own = [numbers[label] for label in data.labels()]
    cuts = quantiles(own, n=_STRATA) if len(own) > 1 else []

    def of(sample: Sample) -> Sample:
        number = numbers[sample.label]
        return Sample(sample.path, bisect_right(cuts, number), (number,))

    return replace(changed(data, of), task=name_task(data.task.id, [OUTPUT]), target="regression")


def _checked(task: str, text: str) -> float:
    number = number_of(text)
    if number is None:
        raise DataError(
            f"{task}: the label '{shown(text)}' is no number, expected one such as -1.5 or 2e3, "
            "with a point and without a unit; correct it"
        )
    return number
