"""What the commands share that move one task's pointer: their options, and the way to an answer."""

import argparse
from collections.abc import Callable

from adapters.cache.cached_store import CachedStore
from adapters.cache.publishing import open_store
from adapters.cli.options import (
    add_change_options,
    add_expect_option,
    add_store_options,
    expected,
    redis_url,
    task_suggested,
)
from adapters.cli.signing.trusting import add_trust_option, checked, trusted
from adapters.cli.tables import show, show_row
from adapters.store.directory import Expecting
from adapters.store.record import Pointer


def add_move_options(parser: argparse.ArgumentParser) -> None:
    """Declare what `moved` reads, but for the task."""
    add_expect_option(parser)
    add_change_options(parser)
    add_trust_option(parser, "do nothing unless one of them has signed what would be current")
    add_store_options(parser)


def moved(
    args: argparse.Namespace, move: Callable[[CachedStore, str | Expecting | None], Pointer]
) -> int:
    """Move the pointer of `args.task`, say what answers now, and return the exit code.

    Args:
        args: as parsed.
        move: moves it in a store, given what `--expect` says.
    """
    store = open_store(args.store, redis_url(args))
    store.store.trust = trusted(args)
    with task_suggested(store.store, args.task):
        pointer = move(store, expected(store.store, args.task, args.expect))
    found = checked(store.store, args.task, pointer.version)
    return show({"task": args.task, **pointer.model_dump(), **found}, args.json, show_row)
