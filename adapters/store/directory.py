"""The durable truth: immutable artifacts and one pointer per task, in a directory or a bucket.

In a directory files change by rename only and writers of a task exclude each other, so readers
take no lock and a writer that dies at any moment leaves the old state or the new one. In a bucket
the same is compared and put (`objects/`). Knows nothing of caches.
"""

import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from adapters.artifact.bounds import MAX_PROMPTS_PUBLISHED, check_prompts
from adapters.artifact.codec import read_contents, version_of
from adapters.artifact.versions import pick_version
from adapters.store.files import StoreFiles
from adapters.store.log import ANY_CHANGE, Change, LogEntry, What, already_made, role_of, this_user
from adapters.store.record import LastChange, Pointer, TaskRecord
from adapters.store.record_changes import (
    Expecting,
    Role,
    added_as,
    after_added,
    after_deletion,
    after_pin,
    after_publish,
    after_rollback,
    after_unpin,
    check_expected,
    check_role,
    check_sequence,
    check_unprotected,
    is_already,
    version_with,
    without,
)
from adapters.store.signed_versions import SignedVersions
from adapters.trust.envelope import Envelope

__all__ = ["Change", "DirectoryStore", "Expecting", "Pointer", "Store"]

_T = TypeVar("_T")


def now_utc() -> datetime:
    """Return the time of the day, in UTC, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


class Store(SignedVersions):
    """Artifacts and pointers in one place; safe for many threads and processes at once.

    Every method raises StoreUnavailable when the place refuses.

    Args:
        files: where it keeps what.
        now: the time of the day, in UTC.

    Attributes:
        max_prompts: of one block of what is published here.
        trust: as `SignedVersions` says.
    """

    def __init__(self, files: StoreFiles, now: Callable[[], datetime] = now_utc) -> None:
        super().__init__(files)
        self.now = now
        self.max_prompts = MAX_PROMPTS_PUBLISHED

    def attempt(self, change: Callable[[], _T]) -> _T:
        """Make a change; here nobody else makes one meanwhile, for the task is locked."""
        return change()

    def publish(
        self,
        data: bytes,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        canary: float | None = None,
        shadow: float | None = None,
        change: Change = ANY_CHANGE,
        envelope: Envelope | None = None,
    ) -> Pointer:
        """Store an artifact and make it its task's current version, its canary or its shadow.

        A canary or a shadow that becomes current is promoted by that; with any other version it
        goes on.
        Publishing again what is there already writes the artifact anew if it is damaged, adds its
        signatures, and changes nothing else.

        Args:
            data: one artifact; its meta names the task.
            expected: the version that should be current now, None for no version at all.
            canary: the share of requests that it answers next to the current version, in (0, 1).
            shadow: the share of requests of which it computes copies, in (0, 1].
            change: who asks for it, and what the log says of it.
            envelope: signatures of this version; those that it has already stay.

        Raises:
            ValueError: `canary` or `shadow` is not such a share, or both are given.
            ArtifactCorrupt: `data` is not a whole artifact; nothing is written.
            SignatureInvalid: `envelope` is about something else, or nobody whom this store trusts
                has signed it.
            ArtifactMismatch: it asks for more than any adapter needs; nothing is written.
            PublishConflict: another version or sequence is current than expected, or the canary or
                shadow answers already.
            TaskNotFound: a canary or shadow of a task that has no current version.
        """
        task, version = self._checked(data), version_of(data)
        added = added_as(version, canary, shadow)
        with self.files.writing(task):
            record = self.files.record_or_none(task)
            what = role_of(added)
            made = self._made(task, record, change, what, version)
            if made is not None:
                return made.pointer
            signed = self._checked_envelope(task, version, data, envelope)
            if record is not None and is_already(record, version, added):
                self._write_version(task, version, data, signed)
                return record.pointer
            check_expected(task, record, expected)
            check_sequence(task, record, change.expected_sequence)
            if added is None:
                following = after_publish(record, version, self.now())
            else:
                following = after_added(task, record, added, self.now())
            self._write_version(task, version, data, signed)
            return self._move(task, following, change, what, version)

    def promote(
        self,
        task: str,
        version: str | None = None,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        change: Change = ANY_CHANGE,
    ) -> Pointer:
        """Make the canary current, or any other version that the store holds whole.

        Args:
            task: its id.
            version: all 64 hex digits or the first 6 and more; None for the canary.
            expected: the version that should be current now; without `version`, the one that should
                be the canary, for it is what would be promoted.
            change: who asks for it, and what the log says of it.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version, or no canary.
            PublishConflict: another version or sequence is current than expected.
            ArtifactCorrupt: the version is damaged.
            SignatureInvalid: nobody whom this store trusts has signed it.
        """
        with self._changing(task) as record:
            named = None if version is None else self.resolve_version(task, version)
            made = self._made(task, record, change, "promote", named)
            if made is not None:
                return made.pointer
            promoted = named or version_with(task, record, "canary")
            self.check_trusted(task, promoted)
            if is_already(record, promoted, None):
                return record.pointer
            if named is None:
                check_role(task, record, "canary", expected)
            else:
                check_expected(task, record, expected)
            check_sequence(task, record, change.expected_sequence)
            read_contents(self.read(task, promoted))
            following = after_publish(record, promoted, self.now())
            return self._move(task, following, change, "promote", promoted)

    def rollback(
        self,
        task: str,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        change: Change = ANY_CHANGE,
    ) -> Pointer:
        """Make the version before the current one current, if it is whole; the others go on.

        Raises:
            TaskNotFound: nothing is published under this id.
            PublishConflict: another version or sequence is current than expected.
            VersionNotFound: there is no version before.
            ArtifactCorrupt: there is, and it is damaged.
            SignatureInvalid: nobody whom this store trusts has signed it.
        """
        with self._changing(task) as record:
            made = self._made(task, record, change, "rollback", None)
            if made is not None:
                return made.pointer
            check_expected(task, record, expected)
            check_sequence(task, record, change.expected_sequence)
            before = after_rollback(task, record, self.now())
            self.check_trusted(task, before.version)
            read_contents(self.read(task, before.version))
            return self._move(task, before, change, "rollback", record.version)

    def end_canary(
        self,
        task: str,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        change: Change = ANY_CHANGE,
    ) -> Pointer:
        """Let the current version answer all requests again.

        Args:
            task: its id.
            expected: the version that should be the canary now.
            change: who asks for it, and what the log says of it.

        Raises:
            TaskNotFound: nothing is published under this id.
            VersionNotFound: there is no canary.
            PublishConflict: another version is the canary, or the sequence is not as expected.
            SignatureInvalid: the current version is signed by nobody whom this store trusts.
        """
        return self._end(task, "canary", expected, change)

    def end_shadow(
        self,
        task: str,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        change: Change = ANY_CHANGE,
    ) -> Pointer:
        """Let no shadow compute copies of requests any more; as `end_canary`, about the shadow."""
        return self._end(task, "shadow", expected, change)

    def pin(self, task: str, version: str, *, change: Change = ANY_CHANGE) -> str:
        """Keep a version from being deleted, whatever becomes of it, and return all its digits.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            PublishConflict: the sequence is not as expected.
        """
        with self._changing(task) as record:
            version = self.resolve_version(task, version)
            if not self._is_done(task, record, change, "pin", version, version in record.pinned):
                self._note(task, after_pin(record, version), change, "pin", version)
        return version

    def unpin(self, task: str, version: str, *, change: Change = ANY_CHANGE) -> str:
        """Let a version be deleted again, and return all its digits.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version, neither held nor pinned.
            PublishConflict: the sequence is not as expected.
        """
        with self._changing(task) as record:
            version = pick_version(task, version, record.named.union(self.versions(task)))
            is_off = version not in record.pinned
            if not self._is_done(task, record, change, "unpin", version, is_off):
                self._note(task, after_unpin(record, version), change, "unpin", version)
        return version

    def remove(self, task: str, version: str, *, change: Change = ANY_CHANGE) -> str:
        """Delete one version, and what the history says of it; return all its digits.

        At once: a service that has not heard yet that it stopped answering misses it for a
        moment. `collect_garbage` is the careful way.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            PublishConflict: it is current, the canary or pinned, or the sequence is another.
        """
        with self._changing(task) as record:
            made = self._made(task, record, change, "remove", None)
            removed = [made.subject] if made is not None and made.subject is not None else []
            known = record.named.union(self.versions(task), removed)
            version = pick_version(task, version, known)
            if not self._is_done(task, record, change, "remove", version):
                check_unprotected(task, record, version)
                self.delete(task, record, [version], "remove", change)
        return version

    def delete(
        self,
        task: str,
        record: TaskRecord,
        versions: Collection[str],
        what: What,
        change: Change = ANY_CHANGE,
    ) -> None:
        """Delete versions, and what the record says of them; the caller keeps other writers out."""
        for version in versions:
            left = after_deletion(record, version)
            record = self._log(task, left, change, what, version)
        self.files.forget(task, record, versions)

    def _end(
        self, task: str, role: Role, expected: str | Expecting | None, change: Change
    ) -> Pointer:
        what: What = "end canary" if role == "canary" else "end shadow"
        with self._changing(task) as record:
            made = self._made(task, record, change, what, None)
            if made is not None:
                return made.pointer
            ended = version_with(task, record, role)
            check_role(task, record, role, expected)
            check_sequence(task, record, change.expected_sequence)
            following = without(record, role, self.now())
            self.check_trusted(task, following.version)
            return self._move(task, following, change, what, ended)

    @contextmanager
    def _changing(self, task: str) -> Iterator[TaskRecord]:
        """Keep other writers of a published task out, and yield its record."""
        self.files.require(task)
        with self.files.writing(task):
            yield self.files.record(task)

    def _made(
        self, task: str, record: TaskRecord | None, change: Change, what: What, subject: str | None
    ) -> LogEntry | None:
        """Return what a change with this id did before, None if there was none."""
        if record is None or change.id is None:
            return None
        return already_made(task, self.log(task), change, what, subject)

    def _is_done(
        self,
        task: str,
        record: TaskRecord,
        change: Change,
        what: What,
        subject: str,
        is_so: bool = False,
    ) -> bool:
        """Return whether nothing is left to do: a change did it, or it is so already."""
        if is_so or self._made(task, record, change, what, subject) is not None:
            return True
        check_sequence(task, record, change.expected_sequence)
        return False

    def _move(
        self, task: str, following: TaskRecord, change: Change, what: What, subject: str
    ) -> Pointer:
        return self.files.move(task, self._log(task, following, change, what, subject))

    def _note(
        self, task: str, following: TaskRecord, change: Change, what: What, subject: str
    ) -> None:
        """Write a record that moves no pointer: nobody has to look the task up."""
        self.files.write_record(task, self._log(task, following, change, what, subject))

    def _log(
        self, task: str, following: TaskRecord, change: Change, what: What, subject: str
    ) -> TaskRecord:
        """Add a line to the log, and return the record that it leads to, which knows of it."""
        told = LastChange(
            id=change.id or secrets.token_hex(8),
            what=what,
            subject=subject,
            sequence=following.sequence,
            at=self.now(),
        )
        entry = LogEntry(
            **dict(following.pointer),
            revision=following.revision,
            at=told.at,
            what=what,
            subject=subject,
            by=change.by or this_user(),
            why=change.why,
            change=told.id,
        )
        self.files.add_to_log(task, entry.model_dump_json(exclude_none=True))
        return following.model_copy(update={"last_change": told})

    def _checked(self, data: bytes) -> str:
        """Return the task of an artifact that may be published."""
        contents = read_contents(data)
        task = contents.meta.task.id
        check_prompts(task, contents.num_prompts, self.max_prompts)
        return task

    def _write_version(
        self, task: str, version: str, data: bytes, envelope: Envelope | None
    ) -> None:
        self.files.write_artifact(task, version, data)
        if envelope is not None:
            self._write_envelope(task, version, envelope)


class DirectoryStore(Store):
    """A store in one folder.

    A root that does not exist is made by the first publish. Every method but that raises
    StoreUnavailable where the root is not there.

    Args:
        root: the folder; on a network directory, one that is mounted with locks.
        now: the time of the day, in UTC.
    """

    def __init__(self, root: Path, *, now: Callable[[], datetime] = now_utc) -> None:
        super().__init__(StoreFiles(root), now)
