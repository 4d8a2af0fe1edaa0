"""`spt show`: all that is known about a task and its current version."""

import argparse

from adapters.artifact.signature import claimed_signer
from adapters.cli.options import add_store_options, task_suggested
from adapters.cli.tables import Row, show, show_fields
from adapters.store.audit import examine
from adapters.store.directory import DirectoryStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("task", help="its id")
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Show the task; 1 if its current version is damaged."""
    store = DirectoryStore(args.store)
    with task_suggested(store, args.task):
        found = _fields(store, args.task)
    return show(found, args.json, show_fields)


def _fields(store: DirectoryStore, task: str) -> Row:
    record = store.record(task)
    found = examine(store, task, record.version)
    about: Row = {}
    if found.meta is not None:
        signer = claimed_signer(store.read(task, record.version))
        about = found.meta.model_dump(mode="json") | {"signed_by": signer}
    damage = {"damage": found.damage} if found.damage else {}
    return {
        **record.model_dump(mode="json"),
        "held": store.versions(task),
        **about,
        **damage,
    }
