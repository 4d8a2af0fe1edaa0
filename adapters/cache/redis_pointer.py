"""A task's pointer as Redis keeps it: what it was when the store's feed had come to some number.

So a reader who follows the feed knows whether it still is: the task has moved since, or has not.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.store.feed import Feed
from adapters.store.record import Pointer

MAX_BYTES: Final = 1024
"""Of one pointer, as JSON; a longer value is a stranger's and never fetched whole."""


class KeptPointer(BaseModel):
    """A pointer, and up to which move it is known to be the task's."""

    model_config = ConfigDict(frozen=True)

    number: int = Field(ge=0, description="of the last move over all tasks")
    pointer: Pointer

    def is_current(self, task: str, feed: Feed) -> bool:
        """Return whether a feed tells of every move since then, and of none of this task."""
        if not feed.since <= self.number <= feed.number:
            return False
        return feed.sequences.get(task, self.pointer.sequence) == self.pointer.sequence


def kept_from(task: str, pointer: Pointer, feed: Feed | None) -> KeptPointer | None:
    """Return what to keep of a pointer that was read after a feed.

    None where that is unknown: there is no feed, or it tells that the task moves to another one.
    """
    if feed is None:
        return None
    kept = KeptPointer(number=feed.number, pointer=pointer)
    return kept if kept.is_current(task, feed) else None


def parse(data: object) -> KeptPointer | None:
    """Return the pointer that Redis has answered with, None if that is none of ours."""
    if not isinstance(data, bytes) or len(data) > MAX_BYTES:
        return None
    try:
        return KeptPointer.model_validate_json(data)
    except ValidationError:
        return None
