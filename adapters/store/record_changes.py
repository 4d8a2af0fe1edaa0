"""What a publish, a rollback or a deletion makes of a task's record, and what it refuses.

Pure functions from one record to the next; every one that moves the pointer counts its sequence
up and notes which versions have stopped answering.
"""

import enum
from datetime import datetime
from itertools import pairwise
from typing import Literal

from adapters.artifact.codec import short
from adapters.errors import PublishConflict, TaskNotFound, VersionNotFound
from adapters.store.record import (
    MAX_HISTORY,
    MAX_RETIRED,
    Canary,
    HistoryEntry,
    Pointer,
    Retirement,
    Shadow,
    TaskRecord,
)

Role = Literal["canary", "shadow"]
"""Of a version that runs next to the current one."""


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


def check_role(task: str, record: TaskRecord, role: Role, expected: str | Expecting | None) -> None:
    """Refuse to promote or to end a canary, or a shadow, that somebody has not seen.

    Raises:
        PublishConflict: another version has the role than `expected`.
    """
    found = version_with(task, record, role)
    if expected not in (Expecting.ANYTHING, found):
        raise PublishConflict(
            f"{task}: expected {expected or 'no version'} to be the {role}, found {found}; look at "
            "what was published in between, then name the version that you mean"
        )


def after_publish(record: TaskRecord | None, version: str, now: datetime) -> TaskRecord:
    """Make a version current; canary and shadow go on, unless they are that version."""
    if record is None:
        first = HistoryEntry(version=version, sequence=1, published_at=now)
        return TaskRecord(version=version, sequence=1, history=(first,))
    now = _not_before(record, now)
    entry = HistoryEntry(version=version, sequence=record.sequence + 1, published_at=now)
    canary = record.canary
    left = None if canary is None or canary.version == version else canary
    history = (*record.history, entry)[-MAX_HISTORY:]
    return _following(record, history, now, canary=left, shadow=record.shadow)


def added_as(version: str, canary: float | None, shadow: float | None) -> Canary | Shadow | None:
    """Return what a version is published as, with its share; None as the current one.

    Raises:
        ValueError: it cannot be both, or not with that share.
    """
    if canary is not None and shadow is not None:
        raise ValueError("expected a share of a canary or of a shadow, found both")
    if canary is not None:
        return Canary(version=version, share=canary)
    return None if shadow is None else Shadow(version=version, share=shadow)


def after_added(
    task: str, record: TaskRecord | None, added: Canary | Shadow, now: datetime
) -> TaskRecord:
    """Put a canary or a shadow next to the current version; as `after_canary`, `after_shadow`."""
    if isinstance(added, Canary):
        return after_canary(task, record, added, now)
    return after_shadow(task, record, added, now)


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
    return _following(record, record.history, now, canary=canary, shadow=record.shadow)


def after_shadow(task: str, record: TaskRecord | None, shadow: Shadow, now: datetime) -> TaskRecord:
    """Put a shadow next to the current version, in place of any other shadow.

    Raises:
        TaskNotFound: there is no current version.
        PublishConflict: the shadow is a version that answers.
    """
    if record is None:
        raise TaskNotFound(
            f"{task}: expected a current version for the shadow to be compared with, found none; "
            "publish the first version of a task without a share"
        )
    if shadow.version in record.answering:
        role = "current version" if shadow.version == record.version else "canary"
        raise PublishConflict(
            f"{task}: {short(shadow.version)} is the {role} and answers already; publish another "
            "version as the shadow"
        )
    return _following(record, record.history, now, canary=record.canary, shadow=shadow)


def after_rollback(task: str, record: TaskRecord, now: datetime) -> TaskRecord:
    """Make the version before the current one current; canary and shadow go on, unless it is they.

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
    left = None if is_it else canary
    return _following(record, record.history[:-1], now, canary=left, shadow=record.shadow)


def without(record: TaskRecord, role: Role, now: datetime) -> TaskRecord:
    """End the canary, or the shadow."""
    canary = None if role == "canary" else record.canary
    shadow = None if role == "shadow" else record.shadow
    return _following(record, record.history, now, canary=canary, shadow=shadow)


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
    """Refuse to delete a version that runs or is pinned.

    Raises:
        PublishConflict: says which of them it is, and the way out.
    """
    name = short(version)
    if version == record.version:
        reason, way_out = "the current version", "publish another one or roll back first"
    elif version in record.answering:
        reason, way_out = "the canary", f"'spt canary {task} --end' first"
    elif version in record.running:
        reason, way_out = "the shadow", f"'spt shadow {task} --end' first"
    elif version in record.pinned:
        reason, way_out = "pinned", f"'spt pin {task} {name} --off' first"
    else:
        return
    raise PublishConflict(f"{task}: {name} is {reason} and is not removed; {way_out}")


def is_already(record: TaskRecord, version: str, added: Canary | Shadow | None) -> bool:
    """Return whether a version is current already, or such a canary or shadow is there."""
    if added is None:
        return record.version == version
    return added in (record.canary, record.shadow)


def version_with(task: str, record: TaskRecord, role: Role) -> str:
    """Return the version that is the canary, or the shadow.

    Raises:
        VersionNotFound: there is none.
    """
    found = record.canary if role == "canary" else record.shadow
    if found is None:
        raise VersionNotFound(
            f"{task}: expected a {role}, found {_others(record)}; 'spt log {task}' says what "
            f"became of it, 'spt promote {task} VERSION' takes another"
        )
    return found.version


def _others(record: TaskRecord) -> str:
    """Return in words which versions run, where one is missed."""
    current = f"the current version {short(record.version)}"
    if record.canary is not None:
        return f"{current} and the canary {short(record.canary.version)}"
    if record.shadow is not None:
        return f"{current} and the shadow {short(record.shadow.version)}"
    return f"only {current}"


def _not_before(record: TaskRecord, now: datetime) -> datetime:
    """Return the time of a change: a publisher whose clock is behind does not turn time back."""
    noted = [entry.at for entry in record.retired]
    return max([now, *(entry.published_at for entry in record.history), *noted])


def _following(
    before: TaskRecord,
    history: tuple[HistoryEntry, ...],
    now: datetime,
    *,
    canary: Canary | None,
    shadow: Shadow | None,
) -> TaskRecord:
    now = _not_before(before, now)
    pointer = Pointer(version=history[-1].version, sequence=before.sequence + 1, canary=canary)
    # a writer of an earlier version knows no shadows, and may have made one current
    if shadow is not None and shadow.version not in pointer.answering | before.answering:
        pointer = pointer.model_copy(update={"shadow": shadow})
    stopped = sorted(before.running - pointer.running)
    noted = [
        *(entry for entry in before.retired if entry.version not in pointer.running),
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
