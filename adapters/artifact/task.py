"""A task: one named classification problem. No tensors here."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_TASK_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


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


TaskId = Annotated[str, AfterValidator(check_task_id)]


class Task(BaseModel):
    """A task's id and the names of its classes, in label order."""

    model_config = ConfigDict(frozen=True)

    id: TaskId
    class_names: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_distinct(self) -> "Task":
        if len(set(self.class_names)) != len(self.class_names):
            twice = sorted({n for n in self.class_names if self.class_names.count(n) > 1})
            raise ValueError(f"task {self.id}: class names appear twice: {twice[:5]}")
        return self
