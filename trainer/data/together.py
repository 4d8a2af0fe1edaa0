"""Training on the validation images, too, once nothing is left to choose by them."""

from collections import Counter
from dataclasses import replace

from trainer.data.task_data import TaskData
from trainer.errors import DataError


def with_validation(data: TaskData) -> TaskData:
    """Return the task with its validation images behind its training images.

    They stay the validation images as well: a score on them says nothing new from then on.

    Raises:
        DataError: the data have a list of both, which has other images.
    """
    both = data.train + data.val
    expected = Counter(sample.label for sample in both)
    for name, labels in data.listed_together.items():
        if Counter(labels) != expected and not data.left_out:
            raise DataError(
                f"{data.task.id}: {name} lists {len(labels):,} images, expected the {len(both):,} "
                f"of {data.lists['train']} and {data.lists['val']} with the same labels; correct "
                "the lists, or leave out data.train_on"
            )
    return replace(data, train=both)
