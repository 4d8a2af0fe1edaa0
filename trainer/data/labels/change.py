"""A task with other samples in its splits. Knows nothing of labels."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from trainer.data.task_data import Sample, TaskData


def changed(data: TaskData, change: Callable[[Sample], Sample]) -> TaskData:
    """Return the task with every sample changed."""
    return with_splits(
        data, {name: tuple(map(change, samples)) for name, samples in data.splits().items()}
    )


def with_splits(data: TaskData, splits: Mapping[str, tuple[Sample, ...]]) -> TaskData:
    """Return the task with these images for training, validation and test."""
    return replace(data, train=splits["train"], val=splits["val"], test=splits["test"])
