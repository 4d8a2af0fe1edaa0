"""What the store's commands share: their options, and how they open the store."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adapters.artifact.codec import VERSION
from adapters.errors import StoreUnavailable, TaskNotFound
from adapters.program import UsageError
from adapters.store.directory import Change, Expecting, Store
from adapters.suggestions import did_you_mean


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """Declare where the store is, and `--json`."""
    parser.add_argument(
        "--store",
        type=Path,
        default=Path("runs/store"),
        help="the store's folder, or s3://bucket/prefix",
    )
    parser.add_argument(
        "--redis",
        type=_address,
        metavar="URL",
        help="where changes are announced (default: REDIS_URL)",
    )
    add_json_option(parser)


def add_tasks_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `tasks`, which may be none."""
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="ids; default: all tasks")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_expect_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--expect`, which `expected` reads."""
    parser.add_argument(
        "--expect",
        metavar="VERSION|none",
        help="do nothing unless this version is current, or none is published",
    )


def add_change_options(parser: argparse.ArgumentParser) -> None:
    """Declare what `change` reads: who changes a pointer, why, and what they have seen."""
    parser.add_argument(
        "--expect-sequence",
        type=_sequence,
        metavar="N",
        help="do nothing unless the task's sequence, as ls and show print it, is this; 0: no task",
    )
    parser.add_argument(
        "--change-id",
        metavar="TEXT",
        help="name of this change; done once, however often it is tried (default: a random one)",
    )
    parser.add_argument("--by", metavar="WHO", help="for the log (default: user@host)")
    parser.add_argument("--why", metavar="TEXT", help="for the log")


def change(args: argparse.Namespace) -> Change:
    """Return what the options of `add_change_options` say."""
    return Change(args.change_id, args.by, args.why, args.expect_sequence)


def _sequence(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise argparse.ArgumentTypeError(f"expected a number from 0, found {text!r}")
    return int(text)


def redis_url(args: argparse.Namespace) -> str | None:
    """Return the Redis where changes are announced, None for no Redis.

    Raises:
        UsageError: REDIS_URL is not the address of one.
    """
    url = os.environ.get("REDIS_URL") if args.redis is None else args.redis
    try:
        return _address(url) if url else None
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"REDIS_URL: {error}") from None


def _address(text: str) -> str:
    """Return the address of a Redis; an empty one means no Redis."""
    from adapters.redis.address import client_for

    if not text:
        return text
    try:
        client_for(text, 1.0)  # connects to nothing
    except ValueError as error:  # which does not repeat the address, for it may hold a password
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def expected(store: Store, task: str, text: str | None) -> str | Expecting | None:
    """Return what `--expect` asks to be current, a version by all its digits."""
    if text is None:
        return Expecting.ANYTHING
    if text == "none":
        return None
    return text if VERSION.fullmatch(text) else store.resolve_version(task, text)


@contextmanager
def task_suggested(store: Store, task: str) -> Iterator[None]:
    """Add to a TaskNotFound which published task may have been meant."""
    try:
        yield
    except TaskNotFound as error:
        with suppress(StoreUnavailable):
            raise TaskNotFound(f"{error}{did_you_mean(task, store.tasks())}") from error
        raise
