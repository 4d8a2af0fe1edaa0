"""Reads everything that a store holds and says what is wrong with it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from adapters.artifact.codec import Contents, read_contents, short
from adapters.artifact.meta import AdapterMeta
from adapters.errors import SptError
from adapters.store.directory import Store
from adapters.store.record import TaskRecord
from adapters.trust import embedded
from adapters.trust.envelope import parse_envelope
from adapters.trust.policy import Signers, check_subject


@dataclass(frozen=True)
class Finding:
    """What one version, one task's folder, or a file next to the tasks turned out to be.

    Attributes:
        task: its id; empty for a file next to the tasks.
        version: all 64 hex digits; None where it is about the folder.
        meta: of a whole version.
        num_bytes: of a whole version.
        claims: of a whole version the ids of the keys that its signatures name, unchecked.
        signers: who of those whom the store trusts has signed it; None where nobody was asked.
        damage: what is wrong and what to do; None for a whole version.
        note: what is odd, though nothing is wrong.
    """

    task: str
    version: str | None = None
    meta: AdapterMeta | None = None
    num_bytes: int | None = None
    claims: tuple[str, ...] = ()
    signers: Signers | None = None
    damage: str | None = None
    note: str | None = None


def _quietly(done: int, of: int) -> None:
    pass


def audit(store: Store, begun: Callable[[int, int], None] = _quietly) -> Iterator[Finding]:
    """Yield every version of every task, and what is wrong or odd in the tasks' folders.

    Files that a dead writer left unfinished are not: `collect_garbage` deletes them.

    Args:
        store: what is read; if it trusts somebody, what they have not signed is damage.
        begun: called before each task with how many are done, and how many there are.

    Raises:
        StoreUnavailable: the folder cannot be listed, or is no store.
    """
    published = set(store.tasks())
    if not published:
        store.require_store()
    yield from audit_beside_tasks(store)
    folders = store.folders()
    for number, task in enumerate(folders):
        begun(number, len(folders))
        try:
            yield from audit_task(store, task) if task in published else _unpublished(store, task)
        except SptError as error:  # of one task's folder, which hides no other
            yield Finding(task, damage=str(error))


def audit_task(store: Store, task: str) -> Iterator[Finding]:
    """Yield every version of a published task, and what is wrong in its folder."""
    # the record first: what is published from now on is more than it names, never less
    record, damage = _record(store, task)
    held = store.versions(task)
    for version in held:
        yield from _examine_twice(store, task, version)
    for path in store.files.foreign(task):
        yield Finding(task, damage=f"{path}: the store made no such file; move it elsewhere")
    if record is None:
        yield Finding(task, damage=damage)
        return
    for version in sorted(record.named.difference(held)):
        if _is_missing(store, task, version):
            path = store.files.artifact(task, version)
            way_out = f"publish the artifact again, or 'spt rm {task} {short(version)}'"
            yield Finding(
                task, version, damage=f"{path}: current.json names it, it is missing; {way_out}"
            )
    for path in store.files.stray_envelopes(task, record.named):
        yield Finding(task, note=f"{path}: signatures of what is not here; 'spt gc' deletes them")


def audit_beside_tasks(store: Store) -> Iterator[Finding]:
    """Yield what is wrong with the files next to the tasks."""
    for read in (store.identity, store.feed):
        try:
            read()
        except SptError as error:
            yield Finding("", damage=str(error))


def glance(store: Store, task: str, version: str) -> Finding:
    """Read what one version says of itself, and not its tensors; `examine` checks them, too."""
    try:
        meta, num_bytes = store.describe(task, version)
    except SptError as error:
        return Finding(task, version, damage=str(error))
    return Finding(task, version, meta, num_bytes)


def examine(store: Store, task: str, version: str) -> Finding:
    """Read and check one version, and its signatures."""
    try:
        data = store.read(task, version)
        contents = read_contents(data)
    except SptError as error:
        return Finding(task, version, damage=str(error))
    found = Finding(task, version, contents.meta, len(data))
    try:
        envelope = store.envelope(task, version)
        found = replace(found, claims=_claims(task, version, envelope, contents))
        if store.trust is None:
            return found
        signers = store.trust.check(task, version, envelope, lambda: data)
    except SptError as error:
        return replace(found, damage=str(error))
    return replace(found, signers=signers)


def _claims(task: str, version: str, envelope: bytes | None, contents: Contents) -> tuple[str, ...]:
    inside = embedded.claimed_signer(contents)
    beside: tuple[str, ...] = ()
    if envelope is not None:
        where = f"signatures of {task} {short(version)}"
        beside = check_subject(parse_envelope(envelope, where), task, version).key_ids
    return beside if inside is None else (*beside, inside)


def _record(store: Store, task: str) -> tuple[TaskRecord | None, str | None]:
    try:
        return store.record(task), None
    except SptError as error:
        return None, str(error)


def _examine_twice(store: Store, task: str, version: str) -> Iterator[Finding]:
    """Examine a version, and again if it is not whole: it may be written or collected just now."""
    finding = examine(store, task, version)
    if finding.damage:
        if version not in store.files.versions(task):
            return
        finding = examine(store, task, version)
    yield finding


def _is_missing(store: Store, task: str, version: str) -> bool:
    """Look once more, at a fresh record."""
    record, _ = _record(store, task)
    return record is not None and version in record.named and not store.holds(task, version)


def _unpublished(store: Store, task: str) -> Iterator[Finding]:
    held = store.files.versions(task)
    if held:
        yield Finding(
            task,
            note=f"{len(held)} versions and no current.json, as the first publish leaves it if it "
            "dies; publish again, or delete the folder",
        )
