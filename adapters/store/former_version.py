"""The version that a publish took the place of, and what became of its classes."""

from typing import NamedTuple

from adapters.artifact.changes import ClassChanges, class_changes
from adapters.artifact.codec import decode_meta, short, version_of
from adapters.artifact.task import TargetKind
from adapters.errors import SptError
from adapters.store.directory import Store
from adapters.store.record import Pointer, TaskRecord


class Comparison(NamedTuple):
    """A version, and the one that was current when it was published.

    Attributes:
        former: the one that was current, 64 hex digits; None if there was none.
        changes: what became of its classes; None if there was none, or it cannot be read.
        targets: what it learned of an image, and what the new one learns, if that is another.
    """

    former: str | None
    changes: ClassChanges | None
    targets: tuple[TargetKind, TargetKind] | None = None

    def warning(self, task: str) -> str | None:
        """Return one line for people, None if there is nothing to warn of."""
        if self.former is None:
            return None
        name = short(self.former)
        if self.targets is not None:
            before, after = self.targets
            return f"warning: {task}: its target is {after}, that of {name} is {before}"
        if self.changes is not None and not self.changes:
            return None
        if self.changes is None:
            reason = f"{name} cannot be read, 'spt verify' says why"
            return f"warning: {task}: its classes were not compared: {reason}"
        return f"warning: {task}: classes differ from those of {name}: {self.changes.described()}"


def compare_with_former(store: Store, data: bytes, pointer: Pointer) -> Comparison:
    """Compare an artifact that has just been published.

    Args:
        store: where it was.
        data: the artifact.
        pointer: what publishing returned.

    Raises:
        TaskNotFound, ArtifactCorrupt, StoreUnavailable: the record cannot be read any more.
    """
    after = decode_meta(data)
    task = after.task
    former = _former(store.record(task.id), pointer, version_of(data))
    try:
        before = None if former is None else decode_meta(store.read(task.id, former))
    except SptError:
        before = None
    if before is None:
        return Comparison(former, None)
    changes = class_changes(before.task.class_names, task.class_names)
    kinds = before.target_kind, after.target_kind
    return Comparison(former, changes, None if kinds[0] == kinds[1] else kinds)


def _former(record: TaskRecord, pointer: Pointer, version: str) -> str | None:
    if pointer.version != version:
        return pointer.version
    before = [entry.version for entry in record.history if entry.sequence < pointer.sequence]
    return before[-1] if before else None
