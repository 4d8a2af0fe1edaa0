"""What happened to a task, when, by whom and why: log.jsonl next to its record, only ever added to.

A line is written before the record that it leads to, so that no change is without one. A line whose
writer died before the record, or in the middle of the line, tells of nothing: lines with a number
above the record's, and all but the last one of a number, are left out. The record itself knows its
last change, so a retry is recognised where the log was lost.
"""

import getpass
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from adapters.artifact.backbone_spec import Sha256
from adapters.errors import PublishConflict
from adapters.store.record import Canary, Pointer, Shadow, TaskRecord

What = Literal[
    "publish",
    "canary",
    "shadow",
    "promote",
    "rollback",
    "end canary",
    "end shadow",
    "pin",
    "unpin",
    "remove",
    "gc",
]


@dataclass(frozen=True)
class Change:
    """What somebody says about a change that they ask for.

    Attributes:
        id: any text that they choose; what was done under this id is not done again.
        by: who they are; None takes the user and the machine.
        why: for people.
        expected_sequence: the number that the task's pointer should have now, 0 for none.
    """

    id: str | None = None
    by: str | None = None
    why: str | None = None
    expected_sequence: int | None = None


ANY_CHANGE = Change()
"""A change without a word."""


class LogEntry(BaseModel):
    """One change that happened, and the pointer since then; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True)

    sequence: int = Field(ge=1)
    revision: int = Field(0, ge=0, description="of the record, with this sequence")
    at: AwareDatetime
    what: str
    version: Sha256 = Field(description="the current one, since then")
    canary: Canary | None = None
    shadow: Shadow | None = None
    subject: Sha256 | None = Field(None, description="the version that the change was about")
    by: str | None = None
    why: str | None = None
    change: str | None = Field(None, description="the change's id")

    @property
    def pointer(self) -> Pointer:
        """The pointer since the change."""
        return Pointer(
            version=self.version, sequence=self.sequence, canary=self.canary, shadow=self.shadow
        )

    @property
    def number(self) -> tuple[int, int]:
        """Its place among the task's changes."""
        return self.sequence, self.revision


def happened(lines: Iterable[bytes], record: TaskRecord) -> list[LogEntry]:
    """Return what has led to a record, oldest first.

    What is older than the log is known from the record's history alone, as far as that goes.
    """
    found: dict[tuple[int, int], LogEntry] = {}
    for line in lines:
        try:
            entry = LogEntry.model_validate_json(line)
        except ValidationError:  # its writer died
            continue
        found[entry.number] = entry
    for one in record.history:
        known = found.get((one.sequence, 0))
        if known is None or known.version != one.version:
            found[one.sequence, 0] = LogEntry(
                sequence=one.sequence, at=one.published_at, what="publish", version=one.version
            )
    now = record.sequence, record.revision
    last = _last_of(record)
    if last is not None and (now not in found or found[now].change != last.change):
        found[now] = last
    return [found[number] for number in sorted(found) if number <= now]


def _last_of(record: TaskRecord) -> LogEntry | None:
    """Return what a record says of the change that led to it; a writer of old says nothing."""
    last = record.last_change
    if last is None or last.sequence != record.sequence:
        return None
    told = last.model_dump(include={"at", "what", "subject"})
    return LogEntry(**dict(record.pointer), revision=record.revision, change=last.id, **told)


def already_made(
    task: str, entries: Iterable[LogEntry], change: Change, what: What, subject: str | None
) -> LogEntry | None:
    """Return what this very change did before, None if it was not made yet.

    Raises:
        PublishConflict: its id was given to another change.
    """
    for entry in entries:
        if entry.change == change.id:
            if entry.what == what and subject in (None, entry.subject):
                return entry
            raise PublishConflict(
                f"{task}: the change {change.id} is known as '{entry.what}' with sequence "
                f"{entry.sequence}; give another change another id"
            )
    return None


def role_of(added: Canary | Shadow | None) -> What:
    """Return what publishing is called as the current version, a canary or a shadow."""
    if added is None:
        return "publish"
    return "canary" if isinstance(added, Canary) else "shadow"


def this_user() -> str:
    """Return the user and the machine, as user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        user = "?"
    return f"{user}@{socket.gethostname()}"
