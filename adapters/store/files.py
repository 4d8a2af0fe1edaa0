"""Where the store keeps what: paths, records and locks of one folder.

    <root>/<task>/versions/<sha256>.safetensors
    <root>/<task>/current.json        a TaskRecord
    <root>/<task>/.lock               held by the task's one writer

Knows nothing of what is allowed. Every method raises StoreUnavailable when the file system refuses.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.artifact.codec import VERSION
from adapters.artifact.task import check_task_id, is_task_id
from adapters.errors import TaskNotFound, VersionNotFound
from adapters.store import durable
from adapters.store.record import Pointer, TaskRecord, parse_record
from adapters.store.record_changes import after_deletion

_RECORD = "current.json"
_LOCK = ".lock"
_VERSIONS = "versions"
_SUFFIX = ".safetensors"


class StoreFiles:
    """The files under one root, which need not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def tasks(self) -> list[str]:
        """Return the ids of all tasks that have a record, sorted."""
        with durable.reaching(self.root):
            return [name for name in self.folders() if (self.root / name / _RECORD).is_file()]

    def folders(self) -> list[str]:
        """Return the names of all folders that are a task's or would be one's, sorted."""
        with durable.reaching(self.root):
            names = [name for name in durable.names(self.root) if is_task_id(name)]
            return [name for name in names if (self.root / name).is_dir()]

    def versions(self, task: str) -> list[str]:
        """Return all versions of a task that are there, sorted."""
        folder = self._folder(task) / _VERSIONS
        with durable.reaching(folder):
            files = [name for name in durable.names(folder) if name.endswith(_SUFFIX)]
        versions = [name.removesuffix(_SUFFIX) for name in files]
        return [version for version in versions if VERSION.fullmatch(version)]

    def artifact(self, task: str, version: str) -> Path:
        """Return the file of one version, there or not.

        Raises:
            TaskNotFound, VersionNotFound: such an id or version cannot exist.
        """
        if not VERSION.fullmatch(version):
            raise VersionNotFound(f"{task}: {version[:80]!r} is not a version of 64 hex digits")
        return self._folder(task) / _VERSIONS / f"{version}{_SUFFIX}"

    def record(self, task: str) -> TaskRecord:
        """Return what is published under a task.

        Raises:
            TaskNotFound: nothing is.
            ArtifactCorrupt: the record is damaged.
        """
        record = self.record_or_none(task)
        if record is None:
            raise self._not_published(task)
        return record

    def record_or_none(self, task: str) -> TaskRecord | None:
        """Return what is published under a task, None for nothing; else as `record`."""
        path = self._folder(task) / _RECORD
        with durable.reaching(path):
            data = durable.bytes_or_none(path)
        return None if data is None else parse_record(data, path)

    def write_record(self, task: str, record: TaskRecord) -> Pointer:
        """Replace the record and return its pointer; the caller is `writing` the task."""
        # what is as ever is left out, so that services of an earlier version read it
        data = record.model_dump_json(indent=1, exclude_defaults=True).encode()
        durable.write(self._folder(task) / _RECORD, data)
        return record.pointer

    def delete(self, task: str, record: TaskRecord, versions: Collection[str]) -> None:
        """Delete versions and what the record says of them; the caller is `writing` the task."""
        # the record first: what a history names can be read, even if we die in between
        left = after_deletion(record, versions)
        if left != record:
            self.write_record(task, left)
        durable.delete([self.artifact(task, version) for version in versions])

    def require(self, task: str) -> None:
        """Do nothing for a task that has a record.

        Raises:
            TaskNotFound: it has none.
        """
        path = self._folder(task) / _RECORD
        with durable.reaching(path):
            if not path.is_file():
                raise self._not_published(task)

    @contextmanager
    def writing(self, task: str) -> Iterator[None]:
        """Make the task's folders and keep other writers of the task out."""
        folder = self._folder(task)
        with durable.reaching(folder):
            durable.make_folder(folder / _VERSIONS)
            durable.sync(self.root)
            with durable.exclusive(folder / _LOCK):
                yield

    def unfinished(self, task: str) -> list[Path]:
        """Return what is being written; while one is `writing` the task, what dead ones left."""
        folder = self._folder(task)
        with durable.reaching(folder):
            return [
                place / name
                for place in (folder, folder / _VERSIONS)
                for name in durable.names(place)
                if name.endswith(durable.UNFINISHED)
            ]

    def foreign(self, task: str) -> list[Path]:
        """Return what is in the task's folders and not ours; hidden files are nobody's matter."""
        folder = self._folder(task)
        ours = {_RECORD, _VERSIONS, *(f"{version}{_SUFFIX}" for version in self.versions(task))}
        with durable.reaching(folder):
            return [
                place / name
                for place in (folder, folder / _VERSIONS)
                for name in durable.names(place)
                if name not in ours and not name.startswith(".")
            ]

    def _folder(self, task: str) -> Path:
        try:
            return self.root / check_task_id(task)
        except ValueError as error:
            raise TaskNotFound(str(error)) from error

    def _not_published(self, task: str) -> TaskNotFound:
        return TaskNotFound(
            f"task {task!r} is not published in the store {self.root}; 'python -m adapters ls' "
            "lists what is, 'make train' publishes"
        )
