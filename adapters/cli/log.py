"""`spt log`: every change of a task's pointer, when, by whom and why."""

import argparse

from adapters.cli.options import add_store_options, task_suggested
from adapters.cli.rows import Row, utc
from adapters.cli.tables import show, show_rows
from adapters.store.log import LogEntry
from adapters.store.objects.opened import store_at


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("task", help="its id")
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """List the changes, oldest first."""
    store = store_at(args.store)
    with task_suggested(store, args.task):
        rows = [_row(entry) for entry in store.log(args.task)]
    return show(rows, args.json, show_rows)


def _row(entry: LogEntry) -> Row:
    return {
        "sequence": entry.sequence,
        "at": utc(entry.at),
        "what": entry.what,
        "subject": entry.subject,
        "current": entry.version,
        "canary": None if entry.canary is None else entry.canary.model_dump(),
        "shadow": None if entry.shadow is None else entry.shadow.model_dump(),
        "by": entry.by,
        "why": entry.why,
        "change": entry.change,
    }
