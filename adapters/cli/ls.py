"""`spt ls`: each task with its current version, canary and pinned versions."""

import argparse
from functools import partial

from adapters.cli.options import add_store_options
from adapters.cli.tables import Row, finding_row, show, show_rows, utc
from adapters.errors import SptError
from adapters.store.audit import examine
from adapters.store.directory import DirectoryStore

EMPTY = "nothing is published in this store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """List the tasks; 1 if a current version or a record is damaged."""
    store = DirectoryStore(args.store)
    rows = [_task_row(store, task) for task in store.tasks()]
    return show(rows, args.json, partial(show_rows, empty=EMPTY))


def _task_row(store: DirectoryStore, task: str) -> Row:
    try:
        record = store.record(task)
    except SptError as error:
        return {"task": task, "damage": str(error)}
    return finding_row(examine(store, task, record.version)) | {
        "sequence": record.sequence,
        "published": utc(record.history[-1].published_at),
        "canary": None if record.canary is None else record.canary.model_dump(),
        "pinned": list(record.pinned),
    }
