"""`spt promote`: the canary, or any version that the store holds, becomes current."""

import argparse

from adapters.cache.publishing import open_store
from adapters.cli.options import (
    add_change_options,
    add_expect_option,
    add_store_options,
    change,
    expected,
    redis_url,
    task_suggested,
)
from adapters.cli.signing.trusting import add_trust_option, checked, trusted
from adapters.cli.tables import show, show_row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.epilog = (
        "With VERSION, --expect names the version that should be current; without, the canary, "
        "for that is what would be promoted."
    )
    parser.add_argument("task", help="its id")
    parser.add_argument(
        "version", nargs="?", help="first hex digits, 6 or more; default: the canary"
    )
    add_expect_option(parser)
    add_change_options(parser)
    add_trust_option(parser, "do nothing unless one of them has signed what would be current")
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Promote, and say what is current now."""
    store = open_store(args.store, redis_url(args))
    store.store.trust = trusted(args)
    with task_suggested(store.store, args.task):
        current = expected(store.store, args.task, args.expect)
        pointer = store.promote(args.task, args.version, expected=current, change=change(args))
    row = {
        "task": args.task,
        **pointer.model_dump(),
        **checked(store.store, args.task, pointer.version),
    }
    return show(row, args.json, show_row)
