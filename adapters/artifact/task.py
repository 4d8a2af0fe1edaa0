"""A task: one named classification problem, and how several are meant at once. No tensors here."""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase, translate
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_TASK_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PATTERN = re.compile(r"[a-z0-9_*-]{1,64}")


def check_task_id(text: str) -> str:
    """Return `text` if it is a task id, so that it is safe in a path, a key and a URL.

    Raises:
        ValueError: it is not 1 to 64 of a-z, 0-9, '_', '-', starting with a letter or digit.
    """
    if is_task_id(text):
        return text
    raise ValueError(
        f"task {text[:80]!r} is not a task id: 1 to 64 of a-z, 0-9, '_' and '-', "
        "starting with a letter or digit, such as cub200"
    )


def is_task_id(text: str) -> bool:
    """Return whether `text` is a task id."""
    return _TASK_ID.fullmatch(text) is not None


def check_task_pattern(text: str) -> str:
    """Return `text` if it is a task id, or one with '*' in it.

    Raises:
        ValueError: it is neither.
    """
    if _PATTERN.fullmatch(text):
        return text
    raise ValueError(f"{text[:80]!r} is neither a task id nor one with '*' for any characters")


def matches_any(task: str, patterns: Iterable[str]) -> bool:
    """Return whether a task is meant by one of some patterns, whether or not it exists."""
    return any(fnmatchcase(task, pattern) for pattern in patterns)


def matching(tasks: Iterable[str], patterns: Iterable[str]) -> Iterator[str]:
    """Yield those of many tasks that `matches_any` is true of, in their order."""
    meant = re.compile("|".join(map(translate, patterns)) or "(?!)")
    return (task for task in tasks if meant.match(task))


TargetKind = Literal["single-label", "multi-label", "regression", "ordinal"]
"""What is learned of an image: one class, any number of them, a number, one of ordered classes."""

SINGLE_LABEL: Final = "single-label"
TARGET_KINDS: Final[tuple[TargetKind, ...]] = get_args(TargetKind)

TaskId = Annotated[str, AfterValidator(check_task_id)]
TaskPattern = Annotated[str, AfterValidator(check_task_pattern)]


class Task(BaseModel):
    """A task's id and the names of its classes, in label order; of a regression its one output."""

    model_config = ConfigDict(frozen=True)

    id: TaskId
    class_names: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_distinct(self) -> "Task":
        if len(set(self.class_names)) != len(self.class_names):
            twice = sorted({n for n in self.class_names if self.class_names.count(n) > 1})
            raise ValueError(f"task {self.id}: class names appear twice: {twice[:5]}")
        return self
