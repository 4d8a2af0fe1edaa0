"""`spt canary TASK --end`: the current version answers all requests again."""

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
from adapters.cli.tables import show, show_row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.epilog = "--expect names the version that should be the canary."
    parser.add_argument("task", help="its id")
    parser.add_argument("--end", action="store_true", required=True, help="end the task's canary")
    add_expect_option(parser)
    add_change_options(parser)
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """End the canary, and say what answers now."""
    store = open_store(args.store, redis_url(args))
    with task_suggested(store.store, args.task):
        canary = expected(store.store, args.task, args.expect)
        pointer = store.end_canary(args.task, expected=canary, change=change(args))
    return show({"task": args.task, **pointer.model_dump()}, args.json, show_row)
