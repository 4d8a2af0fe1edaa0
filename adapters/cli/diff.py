"""`spt diff`: two versions compared by classes, method, prompts, backbone, recipe and metrics."""

import argparse

from adapters.artifact.changes import class_changes
from adapters.artifact.codec import read_contents
from adapters.artifact.differences import differences
from adapters.cli.options import add_store_options, task_suggested
from adapters.cli.rows import Row
from adapters.cli.tables import show, show_differences
from adapters.store.directory import Store
from adapters.store.objects.opened import store_at
from adapters.store.record import TaskRecord


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("task", help="its id")
    parser.add_argument(
        "a", nargs="?", metavar="A", help="first hex digits, 6 or more; default: what B replaced"
    )
    parser.add_argument(
        "b",
        nargs="?",
        metavar="B",
        help="default: the current one, or without A the canary or the shadow",
    )
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Show what differs from A to B."""
    store = store_at(args.store)
    with task_suggested(store, args.task):
        found = _compare(store, args)
    return show(found, args.json, show_differences)


def _compare(store: Store, args: argparse.Namespace) -> Row:
    named = [store.resolve_version(args.task, text) for text in (args.a, args.b) if text]
    a, b = _compared(store.record(args.task), *named)
    before, after = (read_contents(store.read(args.task, version)) for version in (a, b))
    changes = class_changes(before.meta.task.class_names, after.meta.task.class_names)
    return {
        "task": args.task,
        "before": a,
        "after": b,
        "class_changes": changes.model_dump(mode="json"),
        "differences": [one._asdict() for one in differences(before, after)],
    }


def _compared(record: TaskRecord, a: str | None = None, b: str | None = None) -> tuple[str, str]:
    """Return which versions are compared: what was replaced, and what has taken its place."""
    if a is not None:
        return a, b or record.version
    if record.canary is not None:
        return record.version, record.canary.version
    if record.shadow is not None:
        return record.version, record.shadow.version
    return record.latest(2)[-1], record.version
