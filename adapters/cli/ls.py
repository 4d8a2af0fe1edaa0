"""`spt ls`: each task with its current version, canary, shadow and pinned versions."""

import argparse
from itertools import chain

from adapters.cli.options import add_store_options, add_tasks_argument
from adapters.cli.rows import Row, finding_row, show_stream, utc
from adapters.errors import SptError
from adapters.store.audit import audit_beside_tasks, glance
from adapters.store.directory import Store
from adapters.store.objects.opened import store_at

EMPTY = "nothing is published in this store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_tasks_argument(parser)
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """List the tasks; 1 if a record, a current version's header or the store's file is damaged."""
    store = store_at(args.store)
    rows = (_task_row(store, task) for task in args.tasks or store.tasks())
    beside = () if args.tasks else map(finding_row, audit_beside_tasks(store))
    return show_stream(chain(beside, rows), args.json, EMPTY)


def _task_row(store: Store, task: str) -> Row:
    try:
        record = store.record(task)
    except SptError as error:
        return {"task": task, "damage": str(error)}
    return finding_row(glance(store, task, record.version)) | {
        "sequence": record.sequence,
        "published": utc(record.history[-1].published_at),
        "canary": None if record.canary is None else record.canary.model_dump(),
        "shadow": None if record.shadow is None else record.shadow.model_dump(),
        "pinned": list(record.pinned),
    }
