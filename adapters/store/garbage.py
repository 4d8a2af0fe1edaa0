"""Deletes what nobody reads any more: old versions, and what dead writers left half-written.

Why a running service never misses what is deleted here:

- It reads what a pointer names, and the current version, the canary, the shadow and pinned versions
  stay. A pointer that has moved on is trusted for seconds, for it is in the feed, and one who
  cannot read the feed looks again; the lists of a network directory for a minute: no longer than
  `MIN_AGE_S`, the least time since a version has stopped answering. A service that reaches nothing
  goes on from an older pointer, but it cannot read the store either, and asks it for the pointer
  first when it is back.
- Publishing, promotion and rollback make an old version current only under the task's lock, after
  having read or written it there. The lock is held here from the look at the record to the last
  deletion.
- A request that names a version which does not answer gets it if it is held, and else hears that
  it is not. `DirectoryStore.pin` keeps what such clients rely on.

Times are those of the publishers' clocks, which should agree far better than the age asked for.
"""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from adapters.store import durable
from adapters.store.directory import Store
from adapters.store.files import StoreFiles
from adapters.store.record import TaskRecord

UNFINISHED_AGE_S = 3600.0
"""How long ago a file was written last whose writer is taken for dead."""

MIN_AGE_S = 60.0
"""No version that stopped answering more recently is deleted, even if asked to."""


@dataclass(frozen=True)
class Garbage:
    """One file that nobody reads.

    Attributes:
        path: where it is, or was.
        num_bytes: its size.
        version: all 64 hex digits, of its bytes or its signatures; None for a file that was never
            finished, or whose version has gone.
        idle_since: a time since which it has not answered, nor been written.
    """

    path: Path
    num_bytes: int
    version: str | None
    idle_since: datetime


class _Limits(NamedTuple):
    keep: int
    older_than_s: float


def collect_garbage(
    store: Store,
    task: str,
    *,
    keep: int,
    older_than_s: float,
    dry_run: bool = False,
    patience: durable.Patience | None = None,
) -> list[Garbage]:
    """Delete what is garbage in one task's folder, and return it.

    Versions go that neither answer nor are pinned, are not among the last of the history, and
    stopped answering long ago; those that never answered, because their publisher died, age from
    when they were written. Without a record no version goes: it may be on its way back.

    Args:
        store: where.
        task: its id, or the name of a folder that has no record yet.
        keep: how many versions of the history stay to roll back to, the current one among them.
        older_than_s: seconds since a version has stopped answering, `MIN_AGE_S` or more.
        dry_run: only return it.
        patience: with whoever is writing the task, shared with other tasks.

    Raises:
        ValueError: `keep` or `older_than_s` is too small.
        ArtifactCorrupt: the task's record is damaged; nothing is deleted.
        TaskNotFound: `task` is not a task id.
    """
    limits = _Limits(keep, older_than_s)
    if keep < 1 or older_than_s < MIN_AGE_S:
        raise ValueError(
            f"expected to keep 1 version or more, and those that stopped answering {MIN_AGE_S:g} s "
            f"ago or later, found {keep} and {older_than_s:g} s"
        )
    return store.attempt(partial(_collect, store, task, limits, dry_run, patience))


def _collect(
    store: Store, task: str, limits: _Limits, dry_run: bool, patience: durable.Patience | None
) -> list[Garbage]:
    files = store.files
    # who only looks needs no lock: what changes meanwhile is told as it was a moment ago
    looking = nullcontext(True) if dry_run else files.keeping_writers_out(task, patience)
    with durable.reaching(store.root / task), looking as has_files:
        if not has_files:
            return []
        record = files.record_or_none(task)
        idle = [] if record is None else _idle_versions(files, task, record, limits.keep)
        old = _older(store, idle, limits.older_than_s)
        stray = [] if record is None else files.stray_envelopes(task, record.named)
        if not dry_run and record is not None and old:
            store.delete(task, record, [one.version for one in old if one.version], "gc")
        return old + _collect_unfinished(store, files.unfinished(task) + stray, dry_run)


def collect_garbage_beside_tasks(store: Store, *, dry_run: bool = False) -> list[Garbage]:
    """Delete what dead writers left next to the tasks, and return it.

    Args:
        store: where.
        dry_run: only return it.
    """
    with durable.reaching(store.root):
        return _collect_unfinished(store, store.files.unfinished_beside_tasks(), dry_run)


def _collect_unfinished(store: Store, paths: list[Path], dry_run: bool) -> list[Garbage]:
    found = [one for path in paths for one in _garbage(store.files, path)]
    old = _older(store, found, UNFINISHED_AGE_S)
    if not dry_run:
        store.files.delete([one.path for one in old])
    return old


def _older(store: Store, found: Iterable[Garbage], seconds: float) -> list[Garbage]:
    latest = store.now() - timedelta(seconds=seconds)
    return [one for one in found if one.idle_since <= latest]


def _idle_versions(files: StoreFiles, task: str, record: TaskRecord, keep: int) -> list[Garbage]:
    kept = record.protected.union(record.latest(keep))
    idle = [version for version in files.versions(task) if version not in kept]
    found = []
    for version in idle:
        path, stopped = files.artifact(task, version), record.stopped_at(version)
        for one in _garbage(files, path, version, stopped):
            # signatures go with their version, however new they are
            beside = _garbage(files, files.envelope(task, version), version)
            found += [one, *(replace(other, idle_since=one.idle_since) for other in beside)]
    return found


def _garbage(
    files: StoreFiles, path: Path, version: str | None = None, stopped: datetime | None = None
) -> Iterator[Garbage]:
    """Yield what a file is, nothing if it has gone meanwhile."""
    status = files.status(path)
    if status is not None:
        since = max(status.written, stopped or status.written)
        yield Garbage(path, status.num_bytes, version, since)
