"""Whether every class of a task has the images that training and scoring need.

Each check takes the task, which names the classes, and the labels of images, in range.
"""

from collections import Counter
from collections.abc import Sequence

from adapters.artifact.task import Task
from trainer.errors import DataError


def check_several(task: Task) -> None:
    """Refuse a task of one class, whose every prediction is right.

    Raises:
        DataError: there is only one.
    """
    if len(task.class_names) < 2:
        raise DataError(
            f"{task.id}: the only class is '{task.class_names[0]}', expected two or more: that is "
            "no classification; is DATA one level too deep or too high, or are classes missing?"
        )


def check_no_gap(task: Task, labels: Sequence[int]) -> None:
    """Refuse a class without an image; `labels` are those of all splits.

    Raises:
        DataError: a class has none.
    """
    if absent := _absent(task, labels):
        raise DataError(
            f"{_of(task, absent, 'no image in any list')}, expected at least one each; add "
            "images, or close the gap in the labels or the class list"
        )


def check_no_single(task: Task, labels: Sequence[int]) -> None:
    """Refuse a class with one image, which cannot be both trained on and scored.

    `labels` are those of all splits.

    Raises:
        DataError: a class has one image.
    """
    count = Counter(labels)
    single = [name for i, name in enumerate(task.class_names) if count[i] == 1]
    if single:
        raise DataError(
            f"{_of(task, single, 'one image over all lists')}, expected at least two, one to train "
            "on and one to score; add images or remove the class from every split"
        )


def check_trained(task: Task, labels: Sequence[int]) -> None:
    """Refuse a class without a training image; `labels` are those of the training split.

    Raises:
        DataError: a class has none.
    """
    if absent := _absent(task, labels):
        raise DataError(
            f"{_of(task, absent, 'no training image')}, expected at least one each; "
            "add images or remove the class from every split"
        )


def check_spread(task: Task, numbers: Sequence[float]) -> None:
    """Refuse numbers that are all the same, which teach nothing; those of the training split.

    Raises:
        DataError: they are.
    """
    if len(set(numbers)) < 2:
        raise DataError(
            f"{task.id}: all training images have the number {numbers[0]:g}, expected several "
            "numbers; correct the labels, or train on more images"
        )


def _absent(task: Task, labels: Sequence[int]) -> list[str]:
    seen = set(labels)
    return [name for i, name in enumerate(task.class_names) if i not in seen]


def _of(task: Task, names: Sequence[str], lack: str) -> str:
    more = ", …" if len(names) > 5 else ""
    listed = f"{', '.join(names[:5])}{more}"
    return f"{task.id}: {len(names)} of {len(task.class_names)} classes have {lack} ({listed})"
