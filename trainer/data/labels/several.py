"""Labels that name several classes, such as `cat|dog`; a separator alone names none of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from adapters.shown import shown
from trainer.data.labels.change import changed
from trainer.data.names import SEPARATOR, check_distinct, one_form
from trainer.data.task_data import Sample, TaskData, name_task
from trainer.errors import DataError

_OTHERS: Final = (";", ",", "+", "&", "/")
"""What else people write between names."""


def with_several(data: TaskData, separator: str | None) -> TaskData:
    """Return a multi-label task: a sample's target has a 1 for each class that its label names.

    A sample's `label` is the rarest of its classes, so that splits keep the share of each.

    Args:
        data: as a reader found it, with texts such as `cat|dog` as class names.
        separator: between the names of a label, spaces around them aside; None is '|'.

    Raises:
        DataError: a label repeats a name, holds an empty one, or may have another separator.
    """
    task, cells = data.task.id, data.task.class_names
    if separator is None:
        _check_separator(task, cells)
    named = [_names(task, cell, separator or SEPARATOR) for cell in cells]
    classes = sorted(set().union(*named))
    check_distinct(task, classes)
    place_of = {name: place for place, name in enumerate(classes)}
    places = [sorted(place_of[name] for name in names) for names in named]
    rarest = _rarest(places, Counter(data.labels()), none=len(classes))
    targets = [_marked(own, len(classes)) for own in places]

    def of(sample: Sample) -> Sample:
        return Sample(sample.path, rarest[sample.label], targets[sample.label])

    return replace(changed(data, of), task=name_task(task, classes), target="multi-label")


def _names(task: str, cell: str, separator: str) -> list[str]:
    names = [one_form(name.strip()) for name in cell.split(separator)]
    if names == ["", ""]:
        return []
    if "" in names:
        raise DataError(
            f"{task}: the label '{shown(cell)}' holds an empty name, expected names with "
            f"'{separator}' between them, or '{separator}' alone for none; correct it"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"{task}: the label '{shown(cell)}' names '{shown(twice)}' twice; correct it"
        )
    return names


def _check_separator(task: str, cells: Sequence[str]) -> None:
    """Refuse labels that have no '|', and another mark that may be the one between names."""
    if any(SEPARATOR in cell for cell in cells):
        return
    for other in _OTHERS:
        found = next((cell for cell in cells if other in cell), None)
        if found is not None:
            raise DataError(
                f"{task}: no label holds '{SEPARATOR}', and '{shown(found)}' holds '{other}': say "
                f"which one is between the names, by --set data.label_separator='{other}' or "
                f"'{SEPARATOR}'"
            )


def _rarest(places: Sequence[Sequence[int]], count: Mapping[int, int], none: int) -> list[int]:
    """Return of each label the class that the fewest images have; `none` if it names none."""
    images: Counter[int] = Counter()
    for label, own in enumerate(places):
        images.update(dict.fromkeys(own, count[label]))
    return [min(own, key=lambda place: (images[place], place), default=none) for own in places]


def _marked(places: Sequence[int], classes: int) -> tuple[float, ...]:
    marks = [0.0] * classes
    for place in places:
        marks[place] = 1.0
    return tuple(marks)
