"""A task with other samples in its splits. Knows nothing of labels."""

from collections.abc import Callable
from dataclasses import replace

from trainer.data.task_data import Sample, TaskData


def changed(data: TaskData, change: Callable[[Sample], Sample]) -> TaskData:
    """Return the task with every sample changed."""
    splits = {name: tuple(map(change, samples)) for name, samples in data.splits().items()}
    return replace(data, **splits)
