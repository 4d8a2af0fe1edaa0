"""The durable truth: immutable artifacts and one pointer per task, in a directory.

    <root>/<task>/versions/<sha256>.safetensors
    <root>/<task>/current.json        a TaskRecord

Files change by rename only and writers of a task exclude each other, so readers take no lock and
a writer that dies at any moment leaves the old state or the new one. Knows nothing of caches.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters import durable
from adapters.codec import VERSION, decode, short, version_of
from adapters.errors import ArtifactCorrupt, TaskNotFound, VersionNotFound
from adapters.record import (
    Expecting,
    HistoryEntry,
    Pointer,
    TaskRecord,
    check_expected,
    check_prefix,
    parse_record,
    pick_version,
    published,
)
from adapters.task import check_task_id, is_task_id

__all__ = ["DirectoryStore", "Expecting", "Pointer"]

_RECORD = "current.json"
_SUFFIX = ".safetensors"


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
            ArtifactCorrupt: `data` is not a whole artifact; nothing is written.
            PublishConflict: another version is current than `expected`.
        """
        task, version = decode(data).meta.task.id, version_of(data)
        with self._writing(task):
            record = self._record_or_none(task)
            is_current = record is not None and record.version == version
            if not is_current:
                check_expected(task, record, expected)
            durable.write_unless_same(self._artifact(task, version), data)
            if record is not None and is_current:
                return record.pointer
            return self._write_record(task, published(record, version))

    def rollback(self, task: str) -> Pointer:
        """Make the version before the current one current again, if it is whole.

        Raises:
            TaskNotFound: nothing is published under this id.
            VersionNotFound: there is no version before.
            ArtifactCorrupt: there is, and it is damaged.
        """
        self._record(task)
        with self._writing(task):
            before = self._record(task).rolled_back(task)
            self.read(task, before.version)
            return self._write_record(task, before)

    def remove(self, task: str, version: str) -> None:
        """Delete one version that is not current, and what the history says of it.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            PublishConflict: it is the current one.
        """
        version = self.resolve_version(task, version)
        with self._writing(task):
            record = self._record(task)
            left = record.without(version, task)
            if left != record:
                self._write_record(task, left)
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
        with durable.reaching(path):
            data = durable.bytes_or_none(path)
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
        with durable.reaching(path):
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
        check_prefix(task, text)
        return pick_version(task, text, self.versions(task))

    def tasks(self) -> list[str]:
        """Return the ids of all tasks with a published version, sorted."""
        with durable.reaching(self.root):
            names = [name for name in durable.names(self.root) if is_task_id(name)]
            return [name for name in names if (self.root / name / _RECORD).is_file()]

    def versions(self, task: str) -> list[str]:
        """Return all versions of a task that the store holds, sorted."""
        self._require(task)
        folder = self._folder(task) / "versions"
        with durable.reaching(folder):
            files = [name for name in durable.names(folder) if name.endswith(_SUFFIX)]
        versions = [name.removesuffix(_SUFFIX) for name in files]
        return [version for version in versions if VERSION.fullmatch(version)]

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
        with durable.reaching(path):
            if not path.is_file():
                raise _not_published(task, self.root)

    def _record(self, task: str) -> TaskRecord:
        record = self._record_or_none(task)
        if record is None:
            raise _not_published(task, self.root)
        return record

    def _record_or_none(self, task: str) -> TaskRecord | None:
        path = self._folder(task) / _RECORD
        with durable.reaching(path):
            data = durable.bytes_or_none(path)
        return None if data is None else parse_record(data, path)

    @contextmanager
    def _writing(self, task: str) -> Iterator[None]:
        """Make the task's folders and keep other writers of the task out."""
        folder = self._folder(task)
        with durable.reaching(folder):
            (folder / "versions").mkdir(parents=True, exist_ok=True)
            durable.sync(self.root)
            with durable.exclusive(folder / ".lock"):
                yield

    def _write_record(self, task: str, record: TaskRecord) -> Pointer:
        durable.write(self._folder(task) / _RECORD, record.model_dump_json(indent=1).encode())
        return record.pointer


def _not_published(task: str, root: Path) -> TaskNotFound:
    return TaskNotFound(
        f"task {task!r} is not published in the store {root}; 'python -m adapters ls' lists what "
        "is, 'make train' publishes"
    )
