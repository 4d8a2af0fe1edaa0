"""`spt pin`: a version is kept from being deleted by rm and gc."""

import argparse

from adapters.cli.options import (
    add_change_options,
    add_store_options,
    change,
    task_suggested,
)
from adapters.cli.tables import show, show_row
from adapters.store.objects.opened import store_at


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("task", help="its id")
    parser.add_argument("version", help="first hex digits, 6 or more")
    parser.add_argument("--off", action="store_true", help="let it be deleted again")
    add_change_options(parser)
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Pin or unpin the version."""
    store = store_at(args.store)
    mark = store.unpin if args.off else store.pin
    with task_suggested(store, args.task):
        version = mark(args.task, args.version, change=change(args))
    row = {"task": args.task, "version": version, "pinned": not args.off}
    return show(row, args.json, show_row)
