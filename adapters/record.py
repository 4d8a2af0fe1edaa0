"""What is published under a task: the current version and the history that led to it.

Pure values and functions; knows nothing of files, but names them in its messages.
"""

import enum
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.codec import short
from adapters.errors import ArtifactCorrupt, PublishConflict, VersionNotFound
from adapters.spec import Sha256

MAX_HISTORY = 100
"""How many publishes a task remembers, and rollback can walk back through."""

MIN_PREFIX = 6
"""Fewest hex digits that may stand for a version."""


class Expecting(enum.Enum):
    """What a publisher that does not care about the current version expects."""

    ANYTHING = "anything"


class Pointer(BaseModel):
    """Which version of a task is current; a higher sequence is the newer pointer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Sha256
    sequence: int = Field(ge=1, description="counts the task's publishes and rollbacks")


class HistoryEntry(Pointer):
    """One publish."""

    published_at: str = Field(description="UTC, ISO 8601")


class TaskRecord(Pointer):
    """A task's pointer and the publishes that led to it, oldest first."""

    history: tuple[HistoryEntry, ...] = Field(
        min_length=1, description="the last one is current; rollback drops it"
    )

    @model_validator(mode="after")
    def _history_ends_at_current(self) -> "TaskRecord":
        if self.history[-1].version != self.version:
            raise ValueError("the last version of the history is not the current one")
        return self

    @property
    def pointer(self) -> Pointer:
        """The pointer alone."""
        return Pointer(version=self.version, sequence=self.sequence)

    def rolled_back(self, task: str) -> "TaskRecord":
        """Return the record with the version before the current one current again.

        Raises:
            VersionNotFound: there is no version before.
        """
        if len(self.history) == 1:
            raise VersionNotFound(
                f"{task}: {short(self.version)} is the only version in its history, there "
                "is none to roll back to; publish another one"
            )
        return _record_of(self.history[:-1], self.sequence + 1)

    def without(self, version: str, task: str) -> "TaskRecord":
        """Return the record with nothing said of a version.

        Raises:
            PublishConflict: it is the current one.
        """
        if self.version == version:
            raise PublishConflict(
                f"{task}: {short(version)} is the current version and is not removed; "
                "publish another one or roll back first"
            )
        left = tuple(entry for entry in self.history if entry.version != version)
        return self.model_copy(update={"history": left})


def parse_record(data: bytes, path: Path) -> TaskRecord:
    """Return the record that a file holds.

    Raises:
        ArtifactCorrupt: it holds something else; names the file.
    """
    try:
        return TaskRecord.model_validate_json(data)
    except ValidationError as error:
        reason = str(error).replace("\n", " ")[:200]
        raise ArtifactCorrupt(
            f"{path}: not a task record ({reason}); restore the file, or delete it and "
            "publish the task again"
        ) from error


def published(record: TaskRecord | None, version: str) -> TaskRecord:
    """Return the record after a publish of `version`, now."""
    history, sequence = ((), 1) if record is None else (record.history, record.sequence + 1)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = HistoryEntry(version=version, sequence=sequence, published_at=now)
    return _record_of((*history, entry)[-MAX_HISTORY:], sequence)


def check_expected(task: str, record: TaskRecord | None, expected: str | Expecting | None) -> None:
    """Refuse a publish whose publisher has not seen the current version.

    Raises:
        PublishConflict: another version is current than `expected`.
    """
    found = None if record is None else record.version
    if expected is not Expecting.ANYTHING and expected != found:
        raise PublishConflict(
            f"{task}: expected {expected or 'no version'} to be current, found "
            f"{found or 'no version'}; look at what was published in between, then publish again"
        )


def check_prefix(task: str, text: str) -> None:
    """Refuse a text that is too short to stand for a version.

    Raises:
        VersionNotFound: fewer than `MIN_PREFIX` characters.
    """
    if len(text) < MIN_PREFIX:
        raise VersionNotFound(
            f"{task}: {text!r} is too short for a version; give {MIN_PREFIX} hex digits or more"
        )


def pick_version(task: str, text: str, versions: Iterable[str]) -> str:
    """Return the one version that begins with `text`, see `DirectoryStore.resolve_version`."""
    found = [version for version in versions if version.startswith(text.lower())]
    if len(found) == 1:
        return found[0]
    matches = ", ".join(short(version) for version in found[:3])
    found_text = f"{len(found)} versions begin so ({matches})" if found else "no version does"
    raise VersionNotFound(
        f"{task}: expected {text[:80]!r} to begin one version, {found_text}; "
        f"'python -m adapters show {task}' lists them"
    )


def _record_of(history: tuple[HistoryEntry, ...], sequence: int) -> TaskRecord:
    return TaskRecord(version=history[-1].version, sequence=sequence, history=history)
