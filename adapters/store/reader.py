"""The store as a reader has it: no lock, no change, and whatever is returned is whole."""

from typing import Final

from adapters.artifact.codec import decode_meta, has_header, short, version_of
from adapters.artifact.meta import AdapterMeta
from adapters.artifact.versions import pick_version
from adapters.errors import ArtifactCorrupt, VersionNotFound
from adapters.store.feed import Feed
from adapters.store.files import StoreFiles
from adapters.store.log import LogEntry, happened
from adapters.store.record import HistoryEntry, Pointer, TaskRecord
from adapters.trust.envelope import MAX_BYTES as MAX_ENVELOPE_BYTES

_HEADER_BYTES: Final = 1 << 16
"""How much is read of an artifact at first, to learn what it says of itself."""


class StoreReader:
    """Artifacts and pointers under one folder, which has to be there.

    Every method raises StoreUnavailable when the file system refuses, or the folder is not there.

    Args:
        files: where it keeps what.

    Attributes:
        root: the folder.
    """

    def __init__(self, files: StoreFiles) -> None:
        self.root = files.root
        self.files = files

    @property
    def name(self) -> str:
        """The store's folder or address, as messages have it."""
        return self.files.name

    def identity(self) -> str | None:
        """Return the store's id, 32 hex digits; None where nothing was written yet."""
        return self.files.identity()

    def feed(self) -> Feed | None:
        """Return the last moves over all tasks, None where no change has told of any yet.

        Raises:
            ArtifactCorrupt: feed.json is damaged, or of a later format.
        """
        return self.files.feed()

    def require_folder(self) -> None:
        """Raise StoreUnavailable where there is no folder yet that could be read or published to.

        An empty one will do: a service may be started before the first publish.
        """
        self.files.require_folder()

    def require_store(self) -> None:
        """Raise StoreUnavailable for a folder that the store has never written to."""
        self.files.require_store()

    def current(self, task: str) -> Pointer:
        """Return which versions of a task answer.

        Raises:
            TaskNotFound: nothing is published under this id.
            ArtifactCorrupt: its current.json is damaged.
        """
        return self.files.pointer(task)

    def record(self, task: str) -> TaskRecord:
        """Return all that is recorded of a task: pointer, history, pins; errors as `current`."""
        return self.files.record(task)

    def history(self, task: str) -> tuple[HistoryEntry, ...]:
        """Return the publishes that rollback walks back through, oldest first, current last."""
        return self.files.record(task).history

    def log(self, task: str) -> list[LogEntry]:
        """Return every change of the task's pointer, oldest first; errors as `current`."""
        return happened(self.files.log_lines(task), self.files.record(task))

    def read(self, task: str, version: str) -> bytes:
        """Return the bytes of one version, the whole version and nothing else.

        Args:
            task: its id.
            version: all 64 hex digits.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            ArtifactCorrupt: the file does not hold what its name says, or another task's.
        """
        data, place = self.files.read_artifact(task, version)
        if data is None:
            raise self._no_version(task, version)
        _check_content(place, task, version, data)
        return data

    def envelope(self, task: str, version: str) -> bytes | None:
        """Return the signatures that lie next to a version, unchecked; None if it has none.

        Of a file that is too large it is `adapters.trust.envelope.MAX_BYTES` + 1 bytes.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
        """
        data = self.files.read_envelope(task, version, MAX_ENVELOPE_BYTES + 1)
        if data is None and not self.holds(task, version):
            raise self._no_version(task, version)
        return data

    def describe(self, task: str, version: str) -> tuple[AdapterMeta, int]:
        """Return the meta of one version and its size in bytes, without reading its tensors.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            ArtifactCorrupt: its header is damaged, or another task's.
        """
        data, place = self.files.beginning(task, version, _HEADER_BYTES)
        if data is None or not has_header(data):
            data = self.read(task, version)
        size = len(data)
        if size == _HEADER_BYTES:
            found = self.files.status(place)
            size = size if found is None else found.num_bytes
        return _meta_of(place, task, data), size

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

    def _no_version(self, task: str, version: str) -> VersionNotFound:
        self.files.require(task)
        return VersionNotFound(f"{task}: the store {self.name} has no version {short(version)}")


def _check_content(place: str, task: str, version: str, data: bytes) -> None:
    found = version_of(data)
    if found != version:
        raise ArtifactCorrupt(
            f"{place}: the sha256 of its {len(data):,} bytes is {short(found)}, its "
            "name says otherwise; publish the artifact again, or remove this version"
        )
    _meta_of(place, task, data)


def _meta_of(place: str, task: str, data: bytes) -> AdapterMeta:
    try:
        meta = decode_meta(data)
    except ArtifactCorrupt as error:
        raise ArtifactCorrupt(f"{place}: {error}") from error
    if meta.task.id != task:
        raise ArtifactCorrupt(
            f"{place}: expected an artifact of {task}, found one of {meta.task.id}; remove this "
            "version"
        )
    return meta
