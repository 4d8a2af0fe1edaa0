"""Copies tasks from one store to another, history and all, and goes on where it stopped."""

from functools import partial
from typing import NamedTuple

from adapters.errors import PublishConflict
from adapters.store.directory import Store
from adapters.store.log import LogEntry
from adapters.store.objects.pages import with_pages_of
from adapters.store.record import TaskRecord
from adapters.trust.envelope import parse_envelope


class Copied(NamedTuple):
    """What became of a task.

    Attributes:
        sequence: of its pointer, in both stores now.
        num_versions: that were copied; those that were there already are not.
    """

    sequence: int
    num_versions: int


def copy_task(source: Store, target: Store, task: str) -> Copied:
    """Copy all versions of a task with their signatures, its log, and in the end its record.

    Args:
        source: is only read.
        target: may have the task already, as an earlier state of the source's.
        task: its id.

    Raises:
        TaskNotFound: the source has no such task.
        PublishConflict: the target has a task of that id with another history.
        ArtifactCorrupt: a version, or the record, is damaged in the source.
    """
    record, entries = source.record(task), source.log(task)
    copied = 0
    for version in source.versions(task):
        copied += target.attempt(partial(_copy_version, source, target, task, version))
    target.attempt(partial(_copy_record, target, task, record, entries))
    return Copied(record.sequence, copied)


def _copy_version(source: Store, target: Store, task: str, version: str) -> int:
    is_new = target.files.status(target.files.artifact(task, version)) is None
    signed = source.envelope(task, version)
    if not is_new and signed is None:
        return 0
    with target.files.writing(task):
        if is_new:
            target.files.write_artifact(task, version, source.read(task, version))
        if signed is not None:
            envelope = parse_envelope(signed, f"signatures of {task} {version[:12]}")
            target.files.write_envelope(task, version, envelope.to_json())
    return int(is_new)


def _copy_record(target: Store, task: str, record: TaskRecord, entries: list[LogEntry]) -> None:
    with target.files.writing(task):
        held = target.files.record_or_none(task)
        known = [] if held is None else target.log(task)
        if known and (known[-1].number, known[-1].change) not in map(_identity, entries):
            raise PublishConflict(
                f"{task}: the store {target.name} has a task of this id with another history, up "
                f"to sequence {known[-1].sequence}; copy to another store, or leave this task out"
            )
        added = [entry for entry in entries if not known or entry.number > known[-1].number]
        for entry in added:
            target.files.add_to_log(task, entry.model_dump_json(exclude_none=True))
        if added:
            target.files.move(task, with_pages_of(held, record))


def _identity(entry: LogEntry) -> tuple[tuple[int, int], str | None]:
    return entry.number, entry.change
