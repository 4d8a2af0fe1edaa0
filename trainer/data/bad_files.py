"""Files that cannot be trained on: found in all splits at once, and refused or left out."""

from collections.abc import Mapping
from dataclasses import replace

from trainer.data.images.image_file import ImageFile
from trainer.data.images.readable import decoding_fault, header_fault, unreadable
from trainer.data.task_data import TaskData
from trainer.errors import DataError

MANY = 100_000
"""Lists longer than this have their headers checked only: decoding them all takes hours."""

_NAMED = 10
"""Files that a message names."""


def bad_files(data: TaskData) -> dict[ImageFile, str]:
    """Decode every image once, in parallel, as training and serving will.

    Returns:
        Every file that cannot be trained on, with the reason: the task's strays, then the images
        of each split.
    """
    found = dict(data.strays)
    for samples in data.splits().values():
        look = header_fault if len(samples) > MANY else decoding_fault
        found |= unreadable([sample.path for sample in samples], look)
    return found


def refuse_bad(data: TaskData, bad: Mapping[ImageFile, str]) -> None:
    """Say which files of a task cannot be trained on; nothing when all can.

    Args:
        data: what a reader found.
        bad: what `bad_files` found of it.

    Raises:
        DataError: there are some; the first is named with its reason.
    """
    if bad:
        total = len(data.labels()) + len(data.strays)
        raise DataError(
            f"{_told(bad)}; {len(bad):,} of {total:,} images cannot be read; replace or convert "
            f"the files, take them away, or leave them out with --set data.skip_unreadable=true; "
            f"'spt data check {data.task.id}' lists all with the reasons"
        )


def without(data: TaskData, bad: Mapping[ImageFile, str]) -> TaskData:
    """Return the task without the files that cannot be trained on, which it names as left out."""
    train, val, test = (
        tuple(sample for sample in samples if sample.path not in bad)
        for samples in data.splits().values()
    )
    return replace(data, train=train, val=val, test=test, strays={}, left_out=tuple(bad))


def with_strays(error: DataError, data: TaskData) -> DataError:
    """Return what is wrong with a task, and the files that were not taken, which may be why."""
    if not data.strays:
        return error
    return DataError(f"{error}; {len(data.strays):,} files are not taken: {_told(data.strays)}")


def _told(bad: Mapping[ImageFile, str]) -> str:
    (first, why), *others = bad.items()
    also = ", ".join(str(path) for path, _ in others[: _NAMED - 1])
    more = f" and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
    return f"{first}: {why}" + (f" (also {also}{more})" if also else "")
