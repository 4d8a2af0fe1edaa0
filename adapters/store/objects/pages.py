"""A task's record as a bucket keeps it: with the last lines of its log, and what is being deleted.

No object can be added to. So a record carries the lines that led to it, and when they are many the
next writer first puts them into an object that never changes. Both are part of what is compared: a
line is there if its change is, and only then.

A version is marked before it is deleted, and no record that counts on it is written meanwhile.
"""

import json
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from adapters.store.record import TaskRecord

MOST_LINES: Final = 20
DELETION_S: Final = 600.0
"""How long after it was marked a version is deleted at the latest; then its collector has died."""

_LOG: Final = "log"
_DELETING: Final = "deleting"
_DELETIONS: Final = "deletions"


class Segment(NamedTuple):
    """Lines that leave a record.

    Attributes:
        name: of their object, which tells the number of the last one.
        data: a line each.
    """

    name: str
    data: bytes


def lines_in(data: bytes) -> list[bytes]:
    """Return the lines that a record's bytes carry; none if they are damaged."""
    try:
        return [json.dumps(line).encode() for line in json.loads(data).get(_LOG, ())]
    except (ValueError, AttributeError, TypeError):
        return []


def change_of(line: bytes) -> str | None:
    """Return the id of the change that a line tells of, None if it tells nothing."""
    try:
        found = json.loads(line).get("change")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def page_of(record: TaskRecord, added: Iterable[str]) -> tuple[bytes, Segment | None]:
    """Return a record's bytes with more lines of its log, and those that have no place there."""
    document = record.model_dump(mode="json", exclude_defaults=True)
    kept, new = document.get(_LOG, []), [json.loads(line) for line in added]
    segment = None
    if kept and len(kept) + len(new) > MOST_LINES:
        name = f"{kept[-1]['sequence']:016d}-{kept[-1].get('revision', 0):08d}.jsonl"
        segment = Segment(name, "".join(f"{json.dumps(line)}\n" for line in kept).encode())
        kept = []
    return _bytes_of(document | {_LOG: [*kept, *new]}), segment


def with_pages_of(held: TaskRecord | None, record: TaskRecord) -> TaskRecord:
    """Return a record as another store holds it: what a bucket needs stays its own."""
    ours = {_LOG, _DELETING, _DELETIONS}
    extra = {} if held is None else held.model_extra or {}
    theirs = {name: extra[name] for name in ours & extra.keys()}
    kept = record.model_dump(exclude=ours, exclude_defaults=True)
    return TaskRecord.model_validate(kept | theirs)


def marks_in(record: TaskRecord) -> dict[str, datetime]:
    """Return which versions are being deleted, and since when."""
    marks: dict[str, str] = (record.model_extra or {}).get(_DELETING, {})
    return {version: datetime.fromisoformat(at) for version, at in marks.items()}


def with_marks(record: TaskRecord, versions: Collection[str], now: datetime) -> TaskRecord:
    """Return a record that says of versions that they are being deleted."""
    marks = marks_in(record) | dict.fromkeys(versions, now)
    return _marked(record, {version: at.isoformat() for version, at in marks.items()})


def without_marks(record: TaskRecord, versions: Collection[str]) -> TaskRecord:
    """Return a record after the deletion of versions.

    It counts them, so that its bytes are none that it had before: who has read those looks again.
    """
    marks = marks_in(record)
    left = {version: at.isoformat() for version, at in marks.items() if version not in versions}
    return _marked(record, left)


def abandoned(record: TaskRecord, now: datetime) -> list[str]:
    """Return the versions whose collector has died."""
    since = now - timedelta(seconds=DELETION_S)
    return [version for version, at in marks_in(record).items() if at < since]


def _marked(record: TaskRecord, marks: dict[str, str]) -> TaskRecord:
    extra = record.model_extra or {}
    count = extra.get(_DELETIONS, 0) + 1
    changed: dict[str, Any] = {_DELETING: marks, _DELETIONS: count}
    return record.model_copy(update=changed)


def _bytes_of(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode()
