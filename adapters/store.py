"""The durable truth: immutable artifacts and one pointer per task, in a directory.

    <root>/<task>/versions/<sha256>.safetensors
    <root>/<task>/current.json        a TaskRecord

Files change by rename only and writers of a task exclude each other, so readers take no lock and
a writer that dies at any moment leaves the old state or the new one. Knows nothing of caches.
"""

import enum
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.codec import VERSION, decode, short, version_of
from adapters.errors import (
    ArtifactCorrupt,
    PublishConflict,
    StoreUnavailable,
    TaskNotFound,
    VersionNotFound,
)
from adapters.spec import Sha256
from adapters.task import check_task_id

MAX_HISTORY = 100
"""How many publishes a task remembers, and rollback can walk back through."""

MIN_PREFIX = 6
"""Fewest hex digits that may stand for a version."""

_RECORD = "current.json"
_SUFFIX = ".safetensors"


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


class DirectoryStore:
    """Artifacts and pointers under one folder; safe for many threads and processes at once.

    A root that does not exist reads as an empty store and is made by the first publish. Every
    method raises StoreUnavailable when the file system refuses.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(
        self, data: bytes, *, expected: str | Expecting | None = Expecting.ANYTHING
    ) -> Pointer:
        """Store an artifact and make it its task's current version.

        Publishing what is current already writes the artifact anew if it is damaged, and
        changes nothing else.

        Args:
            data: one artifact; its meta names the task.
            expected: the version that should be current now, None for no version at all.

        Raises:
            ArtifactCorrupt, ArtifactMismatch: `data` is not a whole artifact; nothing is written.
            PublishConflict: another version is current than `expected`.
        """
        task, version = decode(data).meta.task.id, version_of(data)
        with self._writing(task):
            record = self._record_or_none(task)
            is_current = record is not None and record.version == version
            if not is_current:
                _check_expected(task, record, expected)
            _write_unless_same(self._artifact(task, version), data)
            if record is not None and is_current:
                return record.pointer
            return self._write_record(task, _published(record, version))

    def rollback(self, task: str) -> Pointer:
        """Make the version before the current one current again, if it is whole.

        Raises:
            TaskNotFound: nothing is published under this id.
            VersionNotFound: there is no version before.
            ArtifactCorrupt: there is, and it is damaged.
        """
        self._record(task)
        with self._writing(task):
            record = self._record(task)
            if len(record.history) == 1:
                raise VersionNotFound(
                    f"{task}: {short(record.version)} is the only version in its history, there "
                    "is none to roll back to; publish another one"
                )
            before = record.history[:-1]
            self.read(task, before[-1].version)
            return self._write_record(task, _record_of(before, record.sequence + 1))

    def remove(self, task: str, version: str) -> None:
        """Delete one version that is not current, and what the history says of it.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            PublishConflict: it is the current one.
        """
        version = self.resolve_version(task, version)
        with self._writing(task):
            record = self._record(task)
            if record.version == version:
                raise PublishConflict(
                    f"{task}: {short(version)} is the current version and is not removed; "
                    "publish another one or roll back first"
                )
            left = tuple(entry for entry in record.history if entry.version != version)
            if left != record.history:
                self._write_record(task, record.model_copy(update={"history": left}))
            self._artifact(task, version).unlink(missing_ok=True)

    def current(self, task: str) -> Pointer:
        """Return which version of a task is current.

        Raises:
            TaskNotFound: nothing is published under this id.
            ArtifactCorrupt: its current.json is damaged.
        """
        return self._record(task).pointer

    def history(self, task: str) -> tuple[HistoryEntry, ...]:
        """Return the publishes that rollback walks back through, oldest first, current last."""
        return self._record(task).history

    def read(self, task: str, version: str) -> bytes:
        """Return the bytes of one version, the whole version and nothing else.

        Args:
            task: its id.
            version: all 64 hex digits.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            ArtifactCorrupt: the file does not hold what its name says.
        """
        path = self._artifact(task, version)
        with _reaching(path):
            data = _bytes_or_none(path)
        if data is None:
            self._require(task)
            raise VersionNotFound(f"{task}: the store {self.root} has no version {short(version)}")
        if version_of(data) != version:
            raise ArtifactCorrupt(
                f"{path}: the sha256 of its {len(data):,} bytes is {short(version_of(data))}, its "
                "name says otherwise; publish the artifact again, or remove this version"
            )
        return data

    def holds(self, task: str, version: str) -> bool:
        """Return whether the store has this version, without reading it."""
        path = self._artifact(task, version)
        with _reaching(path):
            return path.is_file()

    def resolve_version(self, task: str, text: str) -> str:
        """Return the one version that `text` stands for.

        Args:
            task: its id.
            text: all 64 hex digits or the first 6 and more.

        Raises:
            TaskNotFound: nothing is published under this id.
            VersionNotFound: no version begins so, or several do.
        """
        if len(text) < MIN_PREFIX:
            raise VersionNotFound(
                f"{task}: {text!r} is too short for a version; give {MIN_PREFIX} hex digits or more"
            )
        found = [v for v in self.versions(task) if v.startswith(text.lower())]
        if len(found) == 1:
            return found[0]
        matches = ", ".join(short(v) for v in found[:3])
        found_text = f"{len(found)} versions begin so ({matches})" if found else "no version does"
        raise VersionNotFound(
            f"{task}: expected {text[:80]!r} to begin one version, {found_text}; "
            f"'python -m adapters show {task}' lists them"
        )

    def tasks(self) -> list[str]:
        """Return the ids of all tasks with a published version, sorted."""
        with _reaching(self.root):
            names = _names(self.root)
            return [n for n in names if _is_task_id(n) and (self.root / n / _RECORD).is_file()]

    def versions(self, task: str) -> list[str]:
        """Return all versions of a task that the store holds, sorted."""
        self._require(task)
        folder = self._folder(task) / "versions"
        with _reaching(folder):
            names = [n.removesuffix(_SUFFIX) for n in _names(folder) if n.endswith(_SUFFIX)]
        return [n for n in names if VERSION.fullmatch(n)]

    def _folder(self, task: str) -> Path:
        try:
            return self.root / check_task_id(task)
        except ValueError as error:
            raise TaskNotFound(str(error)) from error

    def _artifact(self, task: str, version: str) -> Path:
        if not VERSION.fullmatch(version):
            raise VersionNotFound(f"{task}: {version[:80]!r} is not a version of 64 hex digits")
        return self._folder(task) / "versions" / f"{version}{_SUFFIX}"

    def _require(self, task: str) -> None:
        path = self._folder(task) / _RECORD
        with _reaching(path):
            if not path.is_file():
                raise _not_published(task, self.root)

    def _record(self, task: str) -> TaskRecord:
        record = self._record_or_none(task)
        if record is None:
            raise _not_published(task, self.root)
        return record

    def _record_or_none(self, task: str) -> TaskRecord | None:
        path = self._folder(task) / _RECORD
        with _reaching(path):
            text = _bytes_or_none(path)
        if text is None:
            return None
        try:
            return TaskRecord.model_validate_json(text)
        except ValidationError as error:
            reason = str(error).replace("\n", " ")[:200]
            raise ArtifactCorrupt(
                f"{path}: not a task record ({reason}); restore the file, or delete it and "
                "publish the task again"
            ) from error

    @contextmanager
    def _writing(self, task: str) -> Iterator[None]:
        """Make the task's folders and keep other writers of the task out."""
        folder = self._folder(task)
        with _reaching(folder):
            (folder / "versions").mkdir(parents=True, exist_ok=True)
            _sync(self.root)
            with (folder / ".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    def _write_record(self, task: str, record: TaskRecord) -> Pointer:
        _write(self._folder(task) / _RECORD, record.model_dump_json(indent=1).encode())
        return record.pointer


def _record_of(history: tuple[HistoryEntry, ...], sequence: int) -> TaskRecord:
    return TaskRecord(version=history[-1].version, sequence=sequence, history=history)


def _published(record: TaskRecord | None, version: str) -> TaskRecord:
    history, sequence = ((), 1) if record is None else (record.history, record.sequence + 1)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = HistoryEntry(version=version, sequence=sequence, published_at=now)
    return _record_of((*history, entry)[-MAX_HISTORY:], sequence)


def _check_expected(task: str, record: TaskRecord | None, expected: str | Expecting | None) -> None:
    found = None if record is None else record.version
    if expected is not Expecting.ANYTHING and expected != found:
        raise PublishConflict(
            f"{task}: expected {expected or 'no version'} to be current, found "
            f"{found or 'no version'}; look at what was published in between, then publish again"
        )


def _not_published(task: str, root: Path) -> TaskNotFound:
    return TaskNotFound(
        f"task {task!r} is not published in the store {root}; 'python -m adapters ls' lists what "
        "is, 'make train' publishes"
    )


def _is_task_id(name: str) -> bool:
    try:
        return bool(check_task_id(name))
    except ValueError:
        return False


@contextmanager
def _reaching(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"store {error.filename or path}: {error.strerror or error}; check that the folder is "
            "there, that this user may read and write it, and that the disk has room"
        ) from error


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []


def _bytes_or_none(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, data: bytes) -> None:
    """Replace a file in one step; what a dead writer left half-written is written over."""
    temporary = path.parent / ".writing"
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync(path.parent)


def _write_unless_same(path: Path, data: bytes) -> None:
    if _bytes_or_none(path) == data:
        _sync(path.parent)
    else:
        _write(path, data)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
