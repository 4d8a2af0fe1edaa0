"""Where the store keeps what in a bucket; no lock, but tags of what a change has read.

    <prefix>/store.json                 which store it is
    <prefix>/feed.json                  what moved last, over all tasks
    <prefix>/records/<task>.json        a TaskRecord, with the last lines of its log
    <prefix>/tasks/<task>/versions/<sha256>.safetensors
    <prefix>/tasks/<task>/versions/<sha256>.sig.json    its signatures, if it has any
    <prefix>/tasks/<task>/log/<number>.jsonl            older lines of its log

Within a change every object that was read is put only if it still is what was read.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from adapters.artifact.task import is_task_id
from adapters.errors import StoreUnavailable
from adapters.store.durable import Patience
from adapters.store.feed import FEED, Feed, parse_feed, told
from adapters.store.files import RECORD, VERSIONS, Status, StoreFiles
from adapters.store.identity import IDENTITY, drawn_identity, parse_identity
from adapters.store.objects.disk_cache import DiskCache
from adapters.store.objects.pages import (
    DELETION_S,
    abandoned,
    change_of,
    lines_in,
    marks_in,
    page_of,
    with_marks,
    without_marks,
)
from adapters.store.objects.seam import Changed, Expected, Objects, Tag, Tagged
from adapters.store.record import Pointer, TaskRecord, parse_record

_RECORDS: Final = "records"
_TASKS: Final = "tasks"
_LOGS: Final = "log"
_SUFFIX: Final = ".json"
_TRIES: Final = 100
_PAUSE_S: Final = 0.02
_NO_TAG: Final = f'"{"0" * 32}"'


class _Change(threading.local):
    """What this thread has read since its change began, and the lines that it adds to the log."""

    tags: dict[str, Tag] | None = None
    lines: tuple[str, ...] = ()


class ObjectFiles(StoreFiles):
    """The objects of one store.

    Args:
        objects: the bucket.
        cache: keeps versions that were read; None for none.
    """

    def __init__(self, objects: Objects, cache: DiskCache | None = None) -> None:
        super().__init__(Path(objects.name))
        self.name = objects.name
        self.objects = objects
        self._cache = cache
        self._change = _Change()
        self._feed: Tagged | None = None
        self._telling = threading.Lock()

    def identity(self) -> str | None:
        """Return the store's id, None where nothing was written yet; as `read_identity`."""
        found = self.objects.get(IDENTITY)
        return None if found is None else parse_identity(found.data, f"{self.name}/{IDENTITY}")

    def feed(self) -> Feed | None:
        """Return what moved last; one request, without bytes on the way where nothing did."""
        self._feed = found = self.objects.get_unless(FEED, self._feed)
        return None if found is None else parse_feed(found.data, f"{self.name}/{FEED}")

    def require_folder(self) -> None:
        """Raise StoreUnavailable where there is no bucket; an empty one will do."""
        self._require_root()

    def tasks(self) -> list[str]:
        """Return the ids of all tasks that have a record, be it readable or not, sorted."""
        keys = self.objects.list(_RECORDS, deep=True).keys
        names = [_name(key).removesuffix(_SUFFIX) for key in keys if key.endswith(_SUFFIX)]
        return sorted(filter(is_task_id, names))

    def folders(self) -> list[str]:
        """Return the names of all folders that are a task's or would be one's, sorted."""
        folders = self.objects.list(_TASKS).folders
        return sorted({*filter(is_task_id, folders), *self.tasks()})

    def read_artifact(self, task: str, version: str) -> tuple[bytes | None, str]:
        """Return the bytes of one version, None where there is none, and its place."""
        kept = None if self._cache is None else self._cache.get(version)
        if kept is not None:
            return kept, str(self.artifact(task, version))
        data, place = super().read_artifact(task, version)
        if data is not None and self._cache is not None:
            self._cache.put(version, data)
        return data, place

    def write_record(self, task: str, record: TaskRecord) -> Pointer:
        """Put a record in place of the one that was read.

        Raises:
            Changed: it is another one by now, or counts on a version that is being deleted.
        """
        held = record.protected.intersection(marks_in(record))
        if held:
            self._finish_deletions(task, record)
            raise Changed(f"{task} {min(held)[:12]}")
        lines = self._change.lines
        data, segment = page_of(record, lines)
        if segment is not None:
            self.objects.put(f"{_TASKS}/{task}/{_LOGS}/{segment.name}", segment.data)
        try:
            self._put(self._record_key(task), data)
        except (Changed, StoreUnavailable):
            # it may be this very call that has changed it, whose answer was lost
            if not lines or not self._has_happened(task, lines[-1]):
                raise
        self._change.lines = ()
        return record.pointer

    def forget(self, task: str, record: TaskRecord, versions: Collection[str]) -> None:
        """Put a record that names some versions no more, and delete those."""
        begun_at = time.monotonic()
        self.write_record(task, with_marks(record, versions, datetime.now(UTC)))
        self._delete_marked(task, versions, begun_at)

    def delete(self, paths: Collection[Path]) -> None:
        """Delete objects of versions that are not there, those that no record counts on."""
        by_task: dict[str, list[str]] = {}
        for path in paths:
            _, task, _, name = self._key(path).split("/")
            by_task.setdefault(task, []).append(name.partition(".")[0])
        for task, versions in by_task.items():
            begun_at = time.monotonic()
            mark = partial(with_marks, versions=versions, now=datetime.now(UTC))
            if self._edit(task, mark):
                self._delete_marked(task, versions, begun_at)

    def add_to_log(self, task: str, line: str) -> None:
        """Add a line to the record that is written next; the caller is `writing` the task."""
        self._change.lines = (*self._change.lines, line)

    def log_lines(self, task: str) -> list[bytes]:
        """Return the lines of the task's log, none where there is no log yet."""
        # the record first: what leaves it is in the others
        last = self.bytes_or_none(self._text(task, RECORD))
        keys = self.objects.list(self._key(self._text(task, _LOGS)), deep=True).keys
        found = [self.objects.get(key) for key in sorted(keys)]
        lines = [line for one in found if one is not None for line in one.data.splitlines()]
        return lines if last is None else [*lines, *lines_in(last)]

    def status(self, path: Path | str) -> Status | None:
        """Return what is known of an object without reading it, None where there is none."""
        return self.objects.status(self._key(path))

    @contextmanager
    def writing(self, task: str) -> Iterator[None]:
        """Begin a change of a task: what is read from now on is compared when it is put."""
        self._text(task)
        self._give_identity()
        with self._changing():
            yield

    @contextmanager
    def keeping_writers_out(self, task: str, patience: Patience | None = None) -> Iterator[bool]:
        """Begin a change, after what dead collectors left; yields False where nobody wrote."""
        record = self.record_or_none(task)
        if record is not None:
            self._finish_deletions(task, record)
        with self._changing():
            yield record is not None

    def unfinished(self, task: str) -> list[Path]:
        """Return nothing: an object is whole or not there."""
        return []

    def unfinished_beside_tasks(self) -> list[Path]:
        """Return nothing, as `unfinished`."""
        return []

    def foreign(self, task: str) -> list[Path]:
        """Return what is in the task's folder and not ours."""
        root = self._key(self._text(task))
        versions = self.versions(task)
        ours = {self._key(path) for path in self.files_of(task, versions)}
        ours |= {self._key(path) for path in self.stray_envelopes(task, versions)}
        keys = self.objects.list(root, deep=True).keys
        strange = [key for key in keys if key not in ours and f"{root}/{_LOGS}/" not in key]
        return [self.root / key for key in sorted(strange)]

    def bytes_or_none(self, place: Path | str, most: int | None = None) -> bytes | None:
        """Return what an object holds, or the first `most` bytes of it; None where there is none.

        Raises:
            Changed: within a change it is not what was read before.
        """
        key = self._key(place)
        found = self.objects.get(key, most=most)
        tags = self._change.tags
        if tags is not None:
            tag = Expected.NOTHING if found is None else found.tag
            if tags.setdefault(key, tag) != tag:
                raise Changed(key)
        return None if found is None else found.data

    def write_unless_same(self, place: str, data: bytes) -> None:
        """Put an object that holds anything else."""
        if self.bytes_or_none(place) != data:
            self._put(self._key(place), data)

    def _put(self, key: str, data: bytes) -> None:
        tags = {} if self._change.tags is None else self._change.tags
        tags[key] = self._put_once(key, data, tags.get(key, Expected.ANYTHING))

    def _put_once(self, key: str, data: bytes, expected: Tag) -> str:
        """Put an object and return its tag, even if the answer is lost."""
        try:
            return self.objects.put(key, data, expected)
        except (Changed, StoreUnavailable):
            found = self.objects.get(key)
            if found is None or found.data != data:
                raise
            return found.tag

    def _has_happened(self, task: str, line: str) -> bool:
        """Return whether the change that a line tells of has led to what is there now."""
        with self._changing():
            return json.loads(line)["change"] in map(change_of, self.log_lines(task))

    def _edit(self, task: str, edit: Callable[[TaskRecord], TaskRecord]) -> bool:
        """Change what a record says of deletions; False where there is no record."""
        key = self._record_key(task)
        for _ in range(_TRIES):
            found = self.objects.get(key)
            if found is None:
                return False
            data, _ = page_of(edit(parse_record(found.data, f"{self.name}/{key}")), ())
            try:
                tag = self._put_once(key, data, found.tag)
            except Changed:
                time.sleep(random.uniform(0, _PAUSE_S))
                continue
            if self._change.tags is not None:
                self._change.tags[key] = tag
            return True
        raise Changed(key)

    def _delete_marked(self, task: str, versions: Collection[str], begun_at: float) -> None:
        """Delete versions that are marked, and take the marks off."""
        for path in self.files_of(task, versions):
            if time.monotonic() - begun_at > DELETION_S / 2:  # soon somebody may finish it for us
                raise StoreUnavailable(
                    f"store {self.name}: deleting versions of {task} takes too long; 'spt gc' goes "
                    f"on with it after {DELETION_S / 60:.0f} minutes"
                )
            self.objects.delete([self._key(path)])
        self._edit(task, lambda record: without_marks(record, versions))

    def _finish_deletions(self, task: str, record: TaskRecord) -> None:
        versions = abandoned(record, datetime.now(UTC))
        if versions:
            self._delete_marked(task, versions, time.monotonic())

    def _tell(self, task: str, sequence: int) -> None:
        with self._telling:  # threads of one process would only be in each other's way
            for _ in range(_TRIES):
                found = self.objects.get(FEED)
                data = told(None if found is None else found.data, task, sequence)
                try:
                    self._put_once(FEED, data, Expected.NOTHING if found is None else found.tag)
                except Changed:
                    time.sleep(random.uniform(0, _PAUSE_S))
                    continue
                return
        raise Changed(FEED)

    def _give_identity(self) -> None:
        if self.identity() is not None:
            return
        data = drawn_identity()
        try:
            self.objects.put(IDENTITY, data, Expected.NOTHING)
        except Changed:  # another first writer's is the store's for ever
            return
        try:
            self._require_conditions(IDENTITY, data)
        except StoreUnavailable:
            self.objects.delete([IDENTITY])
            raise

    def _require_conditions(self, key: str, data: bytes) -> None:
        """Make sure that the bucket refuses what is not as expected."""
        for expected in (Expected.NOTHING, _NO_TAG):
            try:
                self.objects.put(key, data, expected)
            except Changed:
                continue
            raise StoreUnavailable(
                f"store {self.name}: the server takes what If-Match and If-None-Match forbid, so "
                "publishers would overwrite each other; use one that keeps to them, such as AWS or "
                "SeaweedFS"
            )

    def _has_record(self, task: str) -> bool:
        return self.objects.status(self._key(self._text(task, RECORD))) is not None

    def _names_of_versions(self, task: str) -> list[str]:
        folder = self._key(self._text(task, VERSIONS))
        return sorted(_name(key) for key in self.objects.list(folder).keys)

    def _require_root(self) -> None:
        self.objects.get(IDENTITY)

    def _record_key(self, task: str) -> str:
        return self._key(self._text(task, RECORD))

    def _text(self, task: str, *below: str) -> str:
        rest = super()._text(task, *below).removeprefix(f"{self.name}/")
        if below == (RECORD,):
            return f"{self.name}/{_RECORDS}/{task}{_SUFFIX}"
        return f"{self.name}/{_TASKS}/{rest}"

    def _key(self, place: Path | str) -> str:
        root = self.root if isinstance(place, Path) else self.name
        return str(place).removeprefix(f"{root}/")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        change = self._change
        before = change.tags, change.lines
        change.tags, change.lines = {}, ()
        try:
            yield
        finally:
            change.tags, change.lines = before


def _name(key: str) -> str:
    return key.rpartition("/")[2]
