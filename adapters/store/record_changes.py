"""What a publish, a rollback or a deletion makes of a task's record, and what it refuses.

Pure functions from one record to the next; every one that moves the pointer counts its sequence
up and notes which versions have stopped answering.
"""

import enum
from datetime import datetime
from itertools import pairwise

from adapters.artifact.codec import short
from adapters.errors import PublishConflict, TaskNotFound, VersionNotFound
from adapters.store.record import (
    MAX_HISTORY,
    MAX_RETIRED,
    Canary,
    HistoryEntry,
    Pointer,
    Retirement,
    TaskRecord,
)


class Expecting(enum.Enum):
    """What a publisher that does not care about the current version expects."""

    ANYTHING = "anything"


def check_expected(task: str, record: TaskRecord | None, expected: str | Expecting | None) -> None:
    """Refuse a change by somebody who has not seen the current version.

    Raises:
        PublishConflict: another version is current than `expected`.
    """
    found = None if record is None else record.version
    if expected is not Expecting.ANYTHING and expected != found:
        raise PublishConflict(
            f"{task}: expected {expected or 'no version'} to be current, found "
            f"{found or 'no version'}; look at what was published in between, then try again"
        )


def check_sequence(task: str, record: TaskRecord | None, expected: int | None) -> None:
    """Refuse a change by somebody who has not seen the last one; None expects nothing.

    Raises:
        PublishConflict: the pointer has another number.
    """
    found = 0 if record is None else record.sequence
    if expected not in (None, found):
        raise PublishConflict(
            f"{task}: expected sequence {expected}, found {found}; 'spt log {task}' "
            "says what changed in between, then try again"
        )


def check_canary(task: str, record: TaskRecord, expected: str | Expecting | None) -> None:
    """Refuse to promote or to end a canary that somebody has not seen.

    Raises:
        PublishConflict: another version is the canary than `expected`.
    """
    found = canary_of(task, record)
    if expected not in (Expecting.ANYTHING, found):
        raise PublishConflict(
            f"{task}: expected {expected or 'no version'} to be the canary, found {found}; look at "
            "what was published in between, then name the version that you mean"
        )


def after_publish(record: TaskRecord | None, version: str, now: datetime) -> TaskRecord:
    """Make a version current; a canary goes on, unless it is that version."""
    if record is None:
        first = HistoryEntry(version=version, sequence=1, published_at=now)
        return TaskRecord(version=version, sequence=1, history=(first,))
    now = _not_before(record, now)
    entry = HistoryEntry(version=version, sequence=record.sequence + 1, published_at=now)
    canary = record.canary
    left = None if canary is None or canary.version == version else canary
    return _following(record, (*record.history, entry)[-MAX_HISTORY:], left, now)


def after_canary(task: str, record: TaskRecord | None, canary: Canary, now: datetime) -> TaskRecord:
    """Put a canary next to the current version, in place of any other canary.

    Raises:
        TaskNotFound: there is no current version.
        PublishConflict: the canary is the current version.
    """
    if record is None:
        raise TaskNotFound(
            f"{task}: expected a current version next to the canary, found none; "
            "publish the first version of a task without a share"
        )
    if canary.version == record.version:
        raise PublishConflict(
            f"{task}: {short(canary.version)} is the current version and answers every request; "
            "publish another version as the canary"
        )
    return _following(record, record.history, canary, now)


def after_rollback(task: str, record: TaskRecord, now: datetime) -> TaskRecord:
    """Make the version before the current one current again; a canary goes on, unless it is that.

    Raises:
        VersionNotFound: there is no version before.
    """
    if len(record.history) == 1:
        raise VersionNotFound(
            f"{task}: {short(record.version)} is the only version in its history, there "
            "is none to roll back to; publish another one"
        )
    canary = record.canary
    is_it = canary is not None and canary.version == record.history[-2].version
    return _following(record, record.history[:-1], None if is_it else canary, now)


def without_canary(record: TaskRecord, now: datetime) -> TaskRecord:
    """End the canary."""
    return _following(record, record.history, None, now)


def after_pin(record: TaskRecord, version: str) -> TaskRecord:
    """Keep a version from being deleted."""
    pinned = tuple(sorted({*record.pinned, version}))
    return record.model_copy(update={"pinned": pinned, "revision": record.revision + 1})


def after_unpin(record: TaskRecord, version: str) -> TaskRecord:
    """Let a version be deleted again."""
    pinned = tuple(one for one in record.pinned if one != version)
    return record.model_copy(update={"pinned": pinned, "revision": record.revision + 1})


def after_deletion(record: TaskRecord, version: str) -> TaskRecord:
    """Forget a version that is about to be deleted; it is not the current one."""
    left = [entry for entry in record.history if entry.version != version]
    # what stood around a forgotten version may be the same one: once is enough to roll back to
    distinct = [one for one, after in pairwise(left) if one.version != after.version]
    retired = tuple(entry for entry in record.retired if entry.version != version)
    changed = {"history": (*distinct, left[-1]), "retired": retired}
    return record.model_copy(update=changed | {"revision": record.revision + 1})


def check_unprotected(task: str, record: TaskRecord, version: str) -> None:
    """Refuse to delete a version that answers or is pinned.

    Raises:
        PublishConflict: says which of them it is, and the way out.
    """
    name = short(version)
    if version == record.version:
        reason, way_out = "the current version", "publish another one or roll back first"
    elif version in record.answering:
        reason, way_out = "the canary", f"'spt canary {task} --end' first"
    elif version in record.pinned:
        reason, way_out = "pinned", f"'spt pin {task} {name} --off' first"
    else:
        return
    raise PublishConflict(f"{task}: {name} is {reason} and is not removed; {way_out}")


def canary_of(task: str, record: TaskRecord) -> str:
    """Return the canary's version.

    Raises:
        VersionNotFound: there is no canary.
    """
    if record.canary is None:
        raise VersionNotFound(
            f"{task}: expected a canary, found only the current version {short(record.version)}; "
            f"'spt log {task}' says what became of it, 'spt promote {task} VERSION' takes another"
        )
    return record.canary.version


def _not_before(record: TaskRecord, now: datetime) -> datetime:
    """Return the time of a change: a publisher whose clock is behind does not turn time back."""
    noted = [entry.at for entry in record.retired]
    return max([now, *(entry.published_at for entry in record.history), *noted])


def _following(
    before: TaskRecord, history: tuple[HistoryEntry, ...], canary: Canary | None, now: datetime
) -> TaskRecord:
    now = _not_before(before, now)
    pointer = Pointer(version=history[-1].version, sequence=before.sequence + 1, canary=canary)
    stopped = sorted(before.answering - pointer.answering)
    noted = [
        *(entry for entry in before.retired if entry.version not in pointer.answering),
        *(Retirement(version=version, at=now) for version in stopped),
    ]
    left_out = [entry.at for entry in noted[:-MAX_RETIRED]]
    known = filter(None, [before.others_retired_by])
    return TaskRecord(
        **(before.model_extra or {}),
        **dict(pointer),
        history=history,
        pinned=before.pinned,
        retired=tuple(noted[-MAX_RETIRED:]),
        others_retired_by=max([*left_out, *known], default=None),
    )
