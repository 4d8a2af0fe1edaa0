"""What each command does, from its arguments to what it prints with `--json`.

A row with `damage` in it makes the command fail. Whatever moves a pointer goes through the
CachedStore, so that Redis and the services hear of it; all else asks the store itself.
"""

import argparse
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.artifact.changes import class_changes
from adapters.artifact.codec import VERSION, decode, decode_meta
from adapters.artifact.differences import differences
from adapters.artifact.keys import generate_key, load_private_key, load_public_key
from adapters.artifact.signature import claimed_signer, key_id, sign
from adapters.cache.cached_store import CachedStore
from adapters.errors import SptError
from adapters.store.audit import Finding, audit, examine
from adapters.store.directory import DirectoryStore, Expecting
from adapters.store.former_version import compare_with_former
from adapters.store.garbage import collect_garbage
from adapters.store.record import TaskRecord

Row = dict[str, Any]
Found = list[Row] | Row
Command = Callable[[CachedStore, argparse.Namespace], Found]


def ls(store: CachedStore, _: argparse.Namespace) -> Found:
    """List the tasks with their current version, canary and pinned versions."""
    return [_task_row(store.store, task) for task in store.store.tasks()]


def show(store: CachedStore, args: argparse.Namespace) -> Found:
    """Tell all that is known about a task and its current version."""
    record = store.store.record(args.task)
    found = examine(store.store, args.task, record.version)
    about: Row = {}
    if found.meta is not None:
        signer = claimed_signer(store.store.read(args.task, record.version))
        about = found.meta.model_dump(mode="json") | {"signed_by": signer}
    damage = {"damage": found.damage} if found.damage else {}
    held = {"held": store.store.versions(args.task)}
    return {**record.model_dump(mode="json"), **held, **about, **damage}


def verify(store: CachedStore, _: argparse.Namespace) -> Found:
    """Read and decode everything; exit 1 if anything is damaged, missing or foreign."""
    return [_finding_row(finding) for finding in audit(store.store)]


def diff(store: CachedStore, args: argparse.Namespace) -> Found:
    """Compare two versions: classes, method, prompts, backbone, recipe, metrics."""
    truth, task = store.store, args.task
    named = [truth.resolve_version(task, text) for text in (args.a, args.b) if text]
    a, b = _compared(truth.record(task), *named)
    before, after = (decode(truth.read(task, version)) for version in (a, b))
    changes = class_changes(before.meta.task.class_names, after.meta.task.class_names)
    differing = [difference._asdict() for difference in differences(before, after)]
    return {
        "task": task,
        "before": a,
        "after": b,
        "class_changes": changes.model_dump(mode="json"),
        "differences": differing,
    }


def publish(store: CachedStore, args: argparse.Namespace) -> Found:
    """Make an artifact its task's current version, or its canary.

    Warns of classes that were removed, added, renamed or moved against the version that was
    current.
    """
    data = _artifact(args)
    task = decode_meta(data).task.id
    expected = _expected(store.store, task, args.expect)
    pointer = store.publish(data, expected=expected, canary=args.canary)
    former, changes = compare_with_former(store.store, data, pointer)
    return {
        "task": task,
        **pointer.model_dump(),
        "compared_with": former,
        "class_changes": None if changes is None else changes.model_dump(mode="json"),
    }


def rollback(store: CachedStore, args: argparse.Namespace) -> Found:
    """End the canary; without one make the version before the current one current."""
    expected = _expected(store.store, args.task, args.expect)
    return {"task": args.task, **store.rollback(args.task, expected=expected).model_dump()}


def promote(store: CachedStore, args: argparse.Namespace) -> Found:
    """Make the canary current, or any version that the store holds."""
    expected = _expected(store.store, args.task, args.expect)
    pointer = store.promote(args.task, args.version, expected=expected)
    return {"task": args.task, **pointer.model_dump()}


def pin(store: CachedStore, args: argparse.Namespace) -> Found:
    """Keep a version from being deleted by rm and gc."""
    change = store.store.unpin if args.off else store.store.pin
    return {"task": args.task, "version": change(args.task, args.version), "pinned": not args.off}


def rm(store: CachedStore, args: argparse.Namespace) -> Found:
    """Delete a version at once, unless it is current, the canary or pinned."""
    return {"task": args.task, "removed": store.store.remove(args.task, args.version)}


def gc(store: CachedStore, args: argparse.Namespace) -> Found:
    """Delete versions that stopped answering long ago, and what dead publishers left."""
    return [row for task in store.store.files.folders() for row in _garbage_rows(store, task, args)]


def keygen(_: CachedStore, args: argparse.Namespace) -> Found:
    """Make a key that signs artifacts: FILE.private.pem and FILE.public.pem."""
    private, public = generate_key(args.file)
    return {
        "private": str(private),
        "public": str(public),
        "key": key_id(load_public_key(public)),
    }


def _artifact(args: argparse.Namespace) -> bytes:
    data = Path(args.file).read_bytes()
    return data if args.sign is None else sign(data, load_private_key(args.sign))


def _expected(store: DirectoryStore, task: str, text: str | None) -> str | Expecting | None:
    if text is None:
        return Expecting.ANYTHING
    if text == "none":
        return None
    return text if VERSION.fullmatch(text) else store.resolve_version(task, text)


def _compared(record: TaskRecord, a: str | None = None, b: str | None = None) -> tuple[str, str]:
    """Return which versions `diff` compares: what was replaced, and what has taken its place."""
    if a is not None:
        return a, b or record.version
    if record.canary is not None:
        return record.version, record.canary.version
    return record.latest(2)[-1], record.version


def _task_row(store: DirectoryStore, task: str) -> Row:
    try:
        record = store.record(task)
    except SptError as error:
        return {"task": task, "damage": str(error)}
    return _finding_row(examine(store, task, record.version)) | {
        "published": _utc(record.history[-1].published_at),
        "canary": None if record.canary is None else record.canary.model_dump(),
        "pinned": list(record.pinned),
    }


def _finding_row(finding: Finding) -> Row:
    row: Row = {"task": finding.task, "version": finding.version}
    if finding.meta is not None:
        accuracy = finding.meta.metrics.get("test_accuracy")
        row |= {
            "classes": len(finding.meta.task.class_names),
            "method": finding.meta.method,
            "backbone": finding.meta.backbone.name,
            "bytes": finding.num_bytes,
            "test_accuracy": None if accuracy is None else round(accuracy, 4),
        }
    said = {"damage": finding.damage, "note": finding.note}
    return row | {key: text for key, text in said.items() if text}


def _garbage_rows(store: CachedStore, task: str, args: argparse.Namespace) -> Iterator[Row]:
    limits = {"keep": args.keep, "older_than_s": args.older_than}
    try:
        found = collect_garbage(store.store, task, **limits, dry_run=args.dry_run)
    except SptError as error:
        yield {"task": task, "damage": str(error)}
        return
    for one in found:
        yield {
            "task": task,
            "version": one.version,
            "file": str(one.path.relative_to(store.store.root)),
            "bytes": one.num_bytes,
            "idle_since": _utc(one.idle_since),
            "deleted": not args.dry_run,
        }


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
