"""Where the store keeps what: paths, records and locks of one folder.

    <root>/store.json                 which store it is
    <root>/feed.json                  what moved last, over all tasks
    <root>/<task>/versions/<sha256>.safetensors
    <root>/<task>/versions/<sha256>.sig.json    its signatures, if it has any
    <root>/<task>/current.json        a TaskRecord
    <root>/<task>/log.jsonl           what changed, when, by whom
    <root>/<task>/.lock               held by the task's one writer

Knows nothing of what is allowed. Every method raises StoreUnavailable when the file system refuses.
"""

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from adapters.artifact.codec import VERSION
from adapters.artifact.task import check_task_id, is_task_id
from adapters.errors import StoreUnavailable, TaskNotFound, VersionNotFound
from adapters.store import durable
from adapters.store.feed import FEED, Feed, read_feed, tell
from adapters.store.identity import IDENTITY, give_identity, read_identity
from adapters.store.record import Pointer, TaskRecord, parse_pointer, parse_record

RECORD = "current.json"
_LOG = "log.jsonl"
_LOCK = ".lock"
VERSIONS = "versions"
_SUFFIX = ".safetensors"
_ENVELOPE = ".sig.json"


class Status(NamedTuple):
    """What is known of a file without reading it.

    Attributes:
        num_bytes: its size.
        written: when it was written last, in UTC.
    """

    num_bytes: int
    written: datetime


class StoreFiles:
    """The files under one root; the first that is written makes it, readers need it to be there.

    A bucket is another place for the same files: `objects/files.py`.

    Attributes:
        name: the root, as messages have it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)

    def identity(self) -> str | None:
        """Return the store's id, None where nothing was written yet; as `read_identity`."""
        return read_identity(self.root)

    def feed(self) -> Feed | None:
        """Return what moved last, None where nothing was told yet; as `read_feed`."""
        feed = read_feed(self.root)
        if feed is None:
            self._require_root()
        return feed

    def require_store(self) -> None:
        """Do nothing for a folder that the store has written to.

        Raises:
            StoreUnavailable: it is another folder, or none.
        """
        if self.identity() is None:
            self._require_root()
            raise StoreUnavailable(
                f"store {self.name}: expected a store with a {IDENTITY}, found another folder; "
                "check the path; a store of an earlier version gets the file with the next change"
            )

    def require_folder(self) -> None:
        """Raise StoreUnavailable where there is no folder yet; an empty one will do."""
        if not self.root.is_dir():
            raise StoreUnavailable(
                f"store {self.root.absolute()}: expected a folder, found none; check the path, or "
                "make the folder if nothing is published yet"
            )

    def tasks(self) -> list[str]:
        """Return the ids of all tasks that have a record, be it readable or not, sorted."""
        with durable.reaching(self.root):
            root = self.root  # text: a path is an object, and there may be many tasks
            return [name for name in self.folders() if _may_be(f"{root}/{name}/{RECORD}")]

    def folders(self) -> list[str]:
        """Return the names of all folders that are a task's or would be one's, sorted."""
        with durable.reaching(self.root):
            with os.scandir(self.root) as entries:
                found = [one.name for one in entries if is_task_id(one.name) and _is_folder(one)]
            return sorted(found)

    def versions(self, task: str) -> list[str]:
        """Return all versions of a task that are there, sorted."""
        return _versions_in(self._names_of_versions(task), _SUFFIX)

    def artifact(self, task: str, version: str) -> Path:
        """Return the file of one version, there or not.

        Raises:
            TaskNotFound, VersionNotFound: such an id or version cannot exist.
        """
        return self._file_of(task, version, _SUFFIX)

    def envelope(self, task: str, version: str) -> Path:
        """Return the file of one version's signatures, there or not; errors as `artifact`."""
        return self._file_of(task, version, _ENVELOPE)

    def stray_envelopes(self, task: str, named: Collection[str]) -> list[Path]:
        """Return the signatures' files of versions that are neither there nor named."""
        names = self._names_of_versions(task)
        known = {*named, *_versions_in(names, _SUFFIX)}
        signed = _versions_in(names, _ENVELOPE)
        return [self.envelope(task, version) for version in signed if version not in known]

    def beginning(self, task: str, version: str, most: int) -> tuple[bytes | None, str]:
        """Return the first bytes of one version, None where there is none, and its place."""
        place = self._text_of_file(task, version, _SUFFIX)
        return self.bytes_or_none(place, most), place

    def read_artifact(self, task: str, version: str) -> tuple[bytes | None, str]:
        """Return the bytes of one version, None where there is none, and its place."""
        place = self._text_of_file(task, version, _SUFFIX)
        return self.bytes_or_none(place), place

    def read_envelope(self, task: str, version: str, most: int) -> bytes | None:
        """Return the first bytes of one version's signatures, None where it has none."""
        return self.bytes_or_none(self._text_of_file(task, version, _ENVELOPE), most)

    def write_artifact(self, task: str, version: str, data: bytes) -> None:
        """Keep a version, anew if it is damaged; the caller is `writing` the task."""
        self.write_unless_same(self._text_of_file(task, version, _SUFFIX), data)

    def write_envelope(self, task: str, version: str, data: bytes) -> None:
        """Keep the signatures of a version; the caller is `writing` the task."""
        self.write_unless_same(self._text_of_file(task, version, _ENVELOPE), data)

    def holds(self, task: str, version: str) -> bool:
        """Return whether the file of one version is there."""
        if self.status(self.artifact(task, version)) is not None:
            return True
        self._require_root()
        return False

    def pointer(self, task: str) -> Pointer:
        """Return the pointer of what is published under a task; errors as `record`."""
        return parse_pointer(*self._require_record(task))

    def record(self, task: str) -> TaskRecord:
        """Return what is published under a task.

        Raises:
            TaskNotFound: nothing is.
            ArtifactCorrupt: the record is damaged.
        """
        return parse_record(*self._require_record(task))

    def record_or_none(self, task: str) -> TaskRecord | None:
        """Return what is published under a task, None for nothing; else as `record`."""
        data, path = self._read_record(task)
        return None if data is None else parse_record(data, path)

    def move(self, task: str, record: TaskRecord) -> Pointer:
        """Replace a record by one of another pointer, and return that; else as `write_record`."""
        # told first: if we die in between, the task is looked up in vain, and no change is missed
        self._tell(task, record.sequence)
        return self.write_record(task, record)

    def write_record(self, task: str, record: TaskRecord) -> Pointer:
        """Replace a record whose pointer stays, and return it; the caller is `writing` the task."""
        # what is as ever is left out, so that services of an earlier version read it
        data = record.model_dump_json(indent=1, exclude_defaults=True).encode()
        durable.write(self._place(task, RECORD), data)
        return record.pointer

    def forget(self, task: str, record: TaskRecord, versions: Collection[str]) -> None:
        """Replace a record by one that names some versions no more, and delete those."""
        # the record first: what a history names can be read, even if we die in between
        self.write_record(task, record)
        self.delete(self.files_of(task, versions))

    def add_to_log(self, task: str, line: str) -> None:
        """Add a line to the task's log; the caller is `writing` the task."""
        durable.append(self._place(task, _LOG), line.encode() + b"\n")

    def log_lines(self, task: str) -> list[bytes]:
        """Return the lines of the task's log, none where there is no log yet."""
        return (self.bytes_or_none(self._text(task, _LOG)) or b"").splitlines()

    def files_of(self, task: str, versions: Collection[str]) -> list[Path]:
        """Return the files of versions in the order in which they are to be deleted."""
        # signatures first: without their version nobody would miss them
        places = (self.envelope, self.artifact)
        return [place(task, version) for version in versions for place in places]

    def delete(self, paths: Collection[Path]) -> None:
        """Delete files, those that are there; the caller is `writing` their task."""
        durable.delete(paths)

    def status(self, path: Path | str) -> Status | None:
        """Return what is known of a file without reading it, None where there is none."""
        with durable.reaching(path):
            try:
                found = os.stat(path)  # noqa: PTH116 (a path is an object)
            except (FileNotFoundError, NotADirectoryError):
                return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return Status(found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def require(self, task: str) -> None:
        """Do nothing for a task that has a record.

        Raises:
            TaskNotFound: it has none.
        """
        if not self._has_record(task):
            self._require_root()
            raise self._not_published(task)

    @contextmanager
    def writing(self, task: str) -> Iterator[None]:
        """Make the task's folders and keep other writers of the task out."""
        folder = self._place(task)
        with durable.reaching(folder):
            durable.make_folder(self.root)
            durable.make_folder(folder / VERSIONS, like=self.root)
            give_identity(self.root)
            with durable.exclusive(folder / _LOCK):
                yield

    @contextmanager
    def keeping_writers_out(
        self, task: str, patience: durable.Patience | None = None
    ) -> Iterator[bool]:
        """Keep writers of the task out and make nothing; yields False where none ever wrote."""
        lock = self._place(task, _LOCK)
        with durable.reaching(lock):
            if not lock.exists():
                yield False
                return
            with durable.exclusive(lock, patience):
                yield True

    def unfinished(self, task: str) -> list[Path]:
        """Return our own files that are being written, or were when their writer died."""
        folder = self._place(task)
        return [*_unfinished(folder), *_unfinished(folder / VERSIONS)]

    def unfinished_beside_tasks(self) -> list[Path]:
        """Return the same of the files next to the tasks."""
        return _unfinished(self.root)

    def foreign(self, task: str) -> list[Path]:
        """Return what is in the task's folders and not ours; hidden files are nobody's matter."""
        folder, names = self._place(task), self._names_of_versions(task)
        ours = {RECORD, _LOG, VERSIONS}
        for suffix in (_SUFFIX, _ENVELOPE):
            ours |= {f"{version}{suffix}" for version in _versions_in(names, suffix)}
        with durable.reaching(folder):
            return [
                place / name
                for place in (folder, folder / VERSIONS)
                for name in durable.names(place)
                if name not in ours and not name.startswith(".")
            ]

    def _require_record(self, task: str) -> tuple[bytes, str]:
        data, place = self._read_record(task)
        if data is None:
            raise self._not_published(task)
        return data, place

    def _read_record(self, task: str) -> tuple[bytes | None, str]:
        """Return the bytes of a task's record, None where there is none, and its place."""
        place = self._text(task, RECORD)
        data = self.bytes_or_none(place)
        if data is None:
            self._require_root()
        return data, place

    def bytes_or_none(self, place: Path | str, most: int | None = None) -> bytes | None:
        """Return what a file holds, or the first `most` bytes of it; None where there is none."""
        with durable.reaching(place):
            return durable.bytes_or_none(place, most)

    def write_unless_same(self, place: str, data: bytes) -> None:
        """Replace a file that holds anything else."""
        durable.write_unless_same(Path(place), data)

    def _tell(self, task: str, sequence: int) -> None:
        tell(self.root, task, sequence)

    def _has_record(self, task: str) -> bool:
        path = self._text(task, RECORD)
        with durable.reaching(path):
            return _may_be(path)

    def _names_of_versions(self, task: str) -> list[str]:
        folder = self._place(task, VERSIONS)
        with durable.reaching(folder):
            return durable.names(folder)

    def _file_of(self, task: str, version: str, suffix: str) -> Path:
        return Path(self._text_of_file(task, version, suffix))

    def _text_of_file(self, task: str, version: str, suffix: str) -> str:
        if not VERSION.fullmatch(version):
            raise VersionNotFound(f"{task}: {version[:80]!r} is not a version of 64 hex digits")
        return self._text(task, VERSIONS, f"{version}{suffix}")

    def _place(self, task: str, *below: str) -> Path:
        return Path(self._text(task, *below))

    def _text(self, task: str, *below: str) -> str:
        """Return the task's folder, or a place below it; a path would be an object for each."""
        try:
            return "/".join([self.name, check_task_id(task), *below])
        except ValueError as error:
            raise TaskNotFound(str(error)) from error

    def _require_root(self) -> None:
        """Raise StoreUnavailable where the store's folder is not there, or cannot be seen."""
        with durable.reaching(self.root):
            self.root.stat()

    def _not_published(self, task: str) -> TaskNotFound:
        return TaskNotFound(
            f"task {task!r} is not published in the store {self.name}; 'spt ls' "
            "lists what is, 'make train' publishes"
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a folder, or a link to one; a link in a circle is none."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry).is_dir())


def _may_be(place: str) -> bool:
    """Return whether something is there; what cannot be seen is: reading it tells the reason."""
    try:
        os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _versions_in(names: Iterable[str], suffix: str) -> list[str]:
    """Return the versions whose files of one kind have such names."""
    found = [name.removesuffix(suffix) for name in names if name.endswith(suffix)]
    return [version for version in found if VERSION.fullmatch(version)]


def _unfinished(folder: Path) -> list[Path]:
    with durable.reaching(folder):
        names = [name for name in durable.names(folder) if _is_unfinished(name)]
        return [folder / name for name in names if (folder / name).is_file()]


def _is_unfinished(name: str) -> bool:
    found = durable.UNFINISHED.fullmatch(name)
    if found is None:
        return False
    is_known = found["name"] in (RECORD, IDENTITY, FEED)
    return is_known or found["name"].endswith((_SUFFIX, _ENVELOPE))
