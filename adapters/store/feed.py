"""What moved last, over all tasks: feed.json next to them, so that one look tells of them all.

A move is told here before its task's record is written. So a change is in the feed whenever its
writer dies. Each move says which sequence the task's pointer gets: who looks the task up too soon
finds a lower one, and looks again.

Numbers only grow, and a feed that is made anew begins at the time, in microseconds: who knew a
number of another feed never takes this one for its continuation. A store of an earlier version has
no feed until the next change.
"""

import time
from collections.abc import Mapping
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.errors import ArtifactCorrupt
from adapters.store import durable
from adapters.store.identity import LOCK

FEED: Final = "feed.json"
MAX_MOVES: Final = 1000
"""How many tasks it tells of; a task that moves again has one place, the last one."""

_FORMAT: Final = 1
_MOST_BYTES: Final = 1 << 20


class Move(NamedTuple):
    """A task whose pointer has moved, or is about to.

    Attributes:
        number: of the move, over all tasks.
        task: its id.
        sequence: of the pointer that it moves to.
    """

    number: int
    task: str
    sequence: int


class Feed(BaseModel):
    """The last moves; readers ignore what they do not know and refuse a higher format."""

    model_config = ConfigDict(frozen=True)

    format: int = Field(_FORMAT, ge=1, le=_FORMAT)
    since: int = Field(ge=0, description="every task that moved after this number is in `moves`")
    moves: tuple[Move, ...] = Field((), description="one for each task, oldest first")

    @model_validator(mode="after")
    def _numbers_grow(self) -> "Feed":
        numbers = [self.since, *(move.number for move in self.moves)]
        if any(one >= following for one, following in pairwise(numbers)):
            raise ValueError("the numbers of the moves do not grow")
        return self

    @property
    def number(self) -> int:
        """Of the last move."""
        return self.moves[-1].number if self.moves else self.since

    @cached_property
    def sequences(self) -> Mapping[str, int]:
        """The sequence that the pointer of each task in the feed has, or is about to have."""
        return {move.task: move.sequence for move in self.moves}

    def after(self, number: int) -> list[Move] | None:
        """Return the moves after one, None where it reaches not so far, or is another feed."""
        if not self.since <= number <= self.number:
            return None
        return [move for move in self.moves if move.number > number]

    def with_move(self, task: str, sequence: int) -> "Feed":
        """Return the feed with one move more, and without those that it has no place for."""
        others = tuple(move for move in self.moves if move.task != task)
        left_out, kept = others[: 1 - MAX_MOVES], others[1 - MAX_MOVES :]
        since = left_out[-1].number if left_out else self.since
        return Feed(since=since, moves=(*kept, Move(self.number + 1, task, sequence)))


def read_feed(root: Path) -> Feed | None:
    """Return the feed of the store in this folder, None where nothing was told yet.

    Raises:
        StoreUnavailable: the file system refuses.
        ArtifactCorrupt: the file is damaged, or of a later format.
    """
    path = root / FEED
    with durable.reaching(path):
        data = durable.bytes_or_none(path, most=_MOST_BYTES)
    return None if data is None else parse_feed(data, path)


@lru_cache(maxsize=4)  # it is read twice a second, and seldom another one
def parse_feed(data: bytes, place: Path | str) -> Feed:
    """Return the feed that a file holds; ArtifactCorrupt as `read_feed`."""
    try:
        return Feed.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ArtifactCorrupt(
            f"{place}: expected the last moves in a format up to {_FORMAT}, found {data[:80]!r} "
            f"({first['msg']}); delete it, the next change writes another one"
        ) from error


def tell(root: Path, task: str, sequence: int) -> None:
    """Tell of a move before it is made; a damaged feed begins anew.

    Raises:
        StoreUnavailable: it cannot be told, so nothing may be moved.
    """
    with durable.reaching(root / FEED), durable.exclusive(root / LOCK):
        data = durable.bytes_or_none(root / FEED, most=_MOST_BYTES)
        durable.write(root / FEED, told(data, task, sequence))


def told(data: bytes | None, task: str, sequence: int) -> bytes:
    """Return what a feed's file holds with one move more; begun anew where it is damaged."""
    try:
        found = None if data is None else parse_feed(data, FEED)
    except ArtifactCorrupt:
        found = None
    feed = found or Feed(since=time.time_ns() // 1000)
    return feed.with_move(task, sequence).model_dump_json().encode()
