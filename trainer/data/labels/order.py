"""Classes that have an order, such as 1 to 5 stars, or mild, moderate and severe."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from adapters.shown import shown
from trainer.data.labels.change import changed
from trainer.data.labels.number import number_of
from trainer.data.names import one_form
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError


def in_order(data: TaskData, order: Sequence[str]) -> TaskData:
    """Return the task with its classes from the lowest to the highest.

    Args:
        data: as a reader found it.
        order: all class names in their order; empty where they are numbers.

    Raises:
        DataError: there is no order, or it is not of these classes, or two have the same number.
    """
    found = data.task.class_names
    names = [one_form(name) for name in order] or _by_number(data.task.id, found)
    if sorted(names) != sorted(found):
        odd = sorted(set(names) ^ set(found)) or [name for name in names if names.count(name) > 1]
        raise DataError(
            f"{data.task.id}: data.class_order is not of the task's {len(found)} classes, each "
            f"once: see '{shown(odd[0])}'; correct it"
        )
    place_of = {name: place for place, name in enumerate(names)}
    moved = [place_of[name] for name in found]

    def of(sample: Sample) -> Sample:
        return replace(sample, label=moved[sample.label])

    return replace(changed(data, of), task=name_task(data.task.id, names), target="ordinal")


def values_of(names: Sequence[str]) -> tuple[float, ...]:
    """Return where ordered classes lie: at their numbers, or else at 0, 1, 2 and so on."""
    numbers = [number_of(name) for name in names]
    known = tuple(number for number in numbers if number is not None)
    rises = all(low < high for low, high in pairwise(known))
    if len(known) == len(names) and rises:
        return known
    return tuple(float(place) for place in range(len(names)))


def _by_number(task: str, names: Sequence[str]) -> list[str]:
    numbers = {name: number_of(name) for name in names}
    odd = next((name for name, number in numbers.items() if number is None), None)
    if odd is not None:
        raise DataError(
            f"{task}: the class '{shown(odd)}' is no number, so the order is not known; give all "
            'classes from the lowest to the highest, as --set data.class_order=\'["low","high"]\''
        )
    known = {name: number for name, number in numbers.items() if number is not None}
    if len(set(known.values())) < len(known):
        raise DataError(f"{task}: two classes have the same number: {', '.join(known)}; correct it")
    return sorted(known, key=known.__getitem__)
