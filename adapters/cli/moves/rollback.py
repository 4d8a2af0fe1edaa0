"""`spt rollback`: the version before becomes current; a canary goes on."""

import argparse
import sys

from adapters.artifact.codec import short
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
    parser.add_argument("task", help="its id")
    add_expect_option(parser)
    add_change_options(parser)
    add_trust_option(parser, "do nothing unless one of them has signed what would be current")
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Roll back, and say what is current now."""
    store = open_store(args.store, redis_url(args))
    store.store.trust = trusted(args)
    with task_suggested(store.store, args.task):
        current = expected(store.store, args.task, args.expect)
        pointer = store.rollback(args.task, expected=current, change=change(args))
    if pointer.canary is not None:
        canary = f"the canary {short(pointer.canary.version)} goes on"
        print(f"{canary}; 'spt canary {args.task} --end' ends it", file=sys.stderr)
    row = {
        "task": args.task,
        **pointer.model_dump(),
        **checked(store.store, args.task, pointer.version),
    }
    return show(row, args.json, show_row)
