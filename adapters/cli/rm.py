"""`spt rm`: a version is deleted at once, if it is neither current, canary, shadow nor pinned."""

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
    parser.epilog = "The current version, the canary, the shadow and pinned versions are refused."
    parser.add_argument("task", help="its id")
    parser.add_argument("version", help="first hex digits, 6 or more")
    add_change_options(parser)
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Delete the version."""
    store = store_at(args.store)
    with task_suggested(store, args.task):
        removed = store.remove(args.task, args.version, change=change(args))
    return show({"task": args.task, "removed": removed}, args.json, show_row)
