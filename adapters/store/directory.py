"""The durable truth: immutable artifacts and one pointer per task, in a directory.

Files change by rename only and writers of a task exclude each other, so readers take no lock and
a writer that dies at any moment leaves the old state or the new one. Knows nothing of caches.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from adapters.artifact.codec import decode_meta, read_contents, short, version_of
from adapters.artifact.versions import pick_version
from adapters.errors import ArtifactCorrupt, StoreUnavailable, VersionNotFound
from adapters.store import durable
from adapters.store.files import StoreFiles
from adapters.store.record import Canary, HistoryEntry, Pointer, TaskRecord
from adapters.store.record_changes import (
    Expecting,
    after_canary,
    after_publish,
    after_rollback,
    canary_of,
    check_expected,
    check_unprotected,
)

__all__ = ["DirectoryStore", "Expecting", "Pointer"]


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class DirectoryStore:
    """Artifacts and pointers under one folder; safe for many threads and processes at once.

    A root that does not exist is made by the first publish. Every method raises StoreUnavailable
    when the file system refuses, and every other one where the root is not there.

    Args:
        root: the folder; on a network directory, one that is mounted with locks.
        now: the time of the day, in UTC.
    """

    def __init__(self, root: Path, *, now: Callable[[], datetime] = _now) -> None:
        self.root = root
        self.files = StoreFiles(root)
        self.now = now

    def publish(
        self,
        data: bytes,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        canary: float | None = None,
    ) -> Pointer:
        """Store an artifact and make it its task's current version, or its canary.

        A canary that becomes current is promoted by that; with any other version it goes on.
        Publishing again what is there already writes the artifact anew if it is damaged, and
        changes nothing else.

        Args:
            data: one artifact; its meta names the task.
            expected: the version that should be current now, None for no version at all.
            canary: the share of requests that it answers next to the current version, in (0, 1).

        Raises:
            ValueError: `canary` is not such a share.
            ArtifactCorrupt: `data` is not a whole artifact; nothing is written.
            PublishConflict: another version is current than `expected`, or the canary is.
            TaskNotFound: a canary of a task that has no current version.
        """
        task, version = read_contents(data).meta.task.id, version_of(data)
        added = None if canary is None else Canary(version=version, share=canary)
        with self.files.writing(task):
            record = self.files.record_or_none(task)
            if record is not None and _is_already(record, version, added):
                self._write_artifact(task, version, data)
                return record.pointer
            check_expected(task, record, expected)
            if added is None:
                following = after_publish(record, version, self.now())
            else:
                following = after_canary(task, record, added, self.now())
            self._write_artifact(task, version, data)
            return self.files.write_record(task, following)

    def promote(
        self,
        task: str,
        version: str | None = None,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
    ) -> Pointer:
        """Make the canary current, or any other version that the store holds whole.

        Args:
            task: its id.
            version: all 64 hex digits or the first 6 and more; None for the canary.
            expected: the version that should be current now.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version, or no canary.
            PublishConflict: another version is current than `expected`.
            ArtifactCorrupt: the version is damaged.
        """
        self.files.require(task)
        with self.files.writing(task):
            record = self.files.record(task)
            named = None if version is None else self.resolve_version(task, version)
            promoted = named or canary_of(task, record)
            if _is_already(record, promoted, None):
                return record.pointer
            check_expected(task, record, expected)
            self.read(task, promoted)
            return self.files.write_record(task, after_publish(record, promoted, self.now()))

    def rollback(
        self, task: str, *, expected: str | Expecting | None = Expecting.ANYTHING
    ) -> Pointer:
        """End the canary; without one make the version before the current one current, if whole.

        Raises:
            TaskNotFound: nothing is published under this id.
            PublishConflict: another version is current than `expected`.
            VersionNotFound: there is no version before.
            ArtifactCorrupt: there is, and it is damaged.
        """
        self.files.require(task)
        with self.files.writing(task):
            record = self.files.record(task)
            check_expected(task, record, expected)
            before = after_rollback(task, record, self.now())
            if before.version != record.version:
                self.read(task, before.version)
            return self.files.write_record(task, before)

    def pin(self, task: str, version: str) -> str:
        """Keep a version from being deleted, whatever becomes of it, and return all its digits.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
        """
        self.files.require(task)
        with self.files.writing(task):
            record = self.files.record(task)
            version = self.resolve_version(task, version)
            self._write_pins(task, record, {*record.pinned, version})
        return version

    def unpin(self, task: str, version: str) -> str:
        """Let a version be deleted again, and return all its digits.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version, neither held nor pinned.
        """
        self.files.require(task)
        with self.files.writing(task):
            record = self.files.record(task)
            version = pick_version(task, version, record.named.union(self.versions(task)))
            self._write_pins(task, record, {*record.pinned} - {version})
        return version

    def remove(self, task: str, version: str) -> str:
        """Delete one version, and what the history says of it; return all its digits.

        At once: a service that has not heard yet that it stopped answering misses it for a
        moment. `collect_garbage` is the careful way.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            PublishConflict: it is current, the canary or pinned.
        """
        self.files.require(task)
        with self.files.writing(task):
            record = self.files.record(task)
            version = pick_version(task, version, record.named.union(self.versions(task)))
            check_unprotected(task, record, version)
            self.files.delete(task, record, {version})
        return version

    def identity(self) -> str | None:
        """Return the store's id, 32 hex digits; None where nothing was written yet."""
        return self.files.identity()

    def require_folder(self) -> None:
        """Raise StoreUnavailable where there is no folder yet that could be read or published to.

        An empty one will do: a service may be started before the first publish.
        """
        if not self.root.is_dir():
            raise StoreUnavailable(
                f"store {self.root.absolute()}: expected a folder, found none; check the path, or "
                "make the folder if nothing is published yet"
            )

    def require_store(self) -> None:
        """Raise StoreUnavailable for a folder that the store has never written to."""
        self.files.require_store()

    def current(self, task: str) -> Pointer:
        """Return which versions of a task answer.

        Raises:
            TaskNotFound: nothing is published under this id.
            ArtifactCorrupt: its current.json is damaged.
        """
        return self.files.record(task).pointer

    def record(self, task: str) -> TaskRecord:
        """Return all that is recorded of a task: pointer, history, pins; errors as `current`."""
        return self.files.record(task)

    def history(self, task: str) -> tuple[HistoryEntry, ...]:
        """Return the publishes that rollback walks back through, oldest first, current last."""
        return self.files.record(task).history

    def read(self, task: str, version: str) -> bytes:
        """Return the bytes of one version, the whole version and nothing else.

        Args:
            task: its id.
            version: all 64 hex digits.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            ArtifactCorrupt: the file does not hold what its name says, or another task's.
        """
        path = self.files.artifact(task, version)
        with durable.reaching(path):
            data = durable.bytes_or_none(path)
        if data is None:
            self.files.require(task)
            raise VersionNotFound(f"{task}: the store {self.root} has no version {short(version)}")
        _check_content(path, task, version, data)
        return data

    def holds(self, task: str, version: str) -> bool:
        """Return whether the store has this version, without reading it."""
        return self.files.holds(task, version)

    def resolve_version(self, task: str, text: str) -> str:
        """Return the one version that `text` stands for.

        Args:
            task: its id.
            text: all 64 hex digits or the first 6 and more.

        Raises:
            TaskNotFound: nothing is published under this id.
            VersionNotFound: no version begins so, or several do.
        """
        return pick_version(task, text, self.versions(task))

    def tasks(self) -> list[str]:
        """Return the ids of all tasks with a published version, sorted."""
        return self.files.tasks()

    def folders(self) -> list[str]:
        """Return the names of all folders that are a task's or would be one's, sorted."""
        return self.files.folders()

    def versions(self, task: str) -> list[str]:
        """Return all versions of a task that the store holds, sorted."""
        self.files.require(task)
        return self.files.versions(task)

    def _write_artifact(self, task: str, version: str, data: bytes) -> None:
        durable.write_unless_same(self.files.artifact(task, version), data)

    def _write_pins(self, task: str, record: TaskRecord, pinned: set[str]) -> None:
        if pinned != set(record.pinned):
            changed = record.model_copy(update={"pinned": tuple(sorted(pinned))})
            self.files.write_record(task, changed)


def _is_already(record: TaskRecord, version: str, canary: Canary | None) -> bool:
    return record.version == version if canary is None else record.canary == canary


def _check_content(path: Path, task: str, version: str, data: bytes) -> None:
    found = version_of(data)
    if found != version:
        raise ArtifactCorrupt(
            f"{path}: the sha256 of its {len(data):,} bytes is {short(found)}, its "
            "name says otherwise; publish the artifact again, or remove this version"
        )
    try:
        owner = decode_meta(data).task.id
    except ArtifactCorrupt as error:
        raise ArtifactCorrupt(f"{path}: {error}") from error
    if owner != task:
        raise ArtifactCorrupt(
            f"{path}: expected an artifact of {task}, found one of {owner}; remove this version"
        )
