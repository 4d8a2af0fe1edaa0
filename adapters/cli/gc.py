"""`spt gc`: old versions go, and what dead publishers left."""

import argparse
import re
from collections.abc import Iterator
from itertools import chain

from adapters.cli.options import add_store_options, add_tasks_argument
from adapters.cli.rows import Row, show_stream, utc
from adapters.errors import SptError
from adapters.store.directory import Store
from adapters.store.durable import LOCK_PATIENCE_S, Patience
from adapters.store.garbage import (
    MIN_AGE_S,
    Garbage,
    collect_garbage,
    collect_garbage_beside_tasks,
)
from adapters.store.objects.opened import store_at

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_tasks_argument(parser)
    parser.add_argument(
        "--keep",
        type=_count,
        default=5,
        metavar="N",
        help="versions of each history that stay, the current one among them",
    )
    parser.add_argument(
        "--older-than",
        type=_age,
        default="1d",
        metavar="TIME",
        help=f"since they stopped answering, such as 90s, 30m, 12h; {MIN_AGE_S:g}s or more",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Delete, and list what was deleted; 1 if a record is damaged."""
    store = store_at(args.store)
    store.require_store()
    beside = () if args.tasks else _beside_tasks(store, args)
    tasks = args.tasks or store.folders()
    patience = Patience(LOCK_PATIENCE_S)  # of the command: many locks may be held
    rows = (row for task in tasks for row in _garbage_rows(store, task, args, patience))
    return show_stream(chain(beside, rows), args.json, "nothing to delete")


def _beside_tasks(store: Store, args: argparse.Namespace) -> Iterator[Row]:
    for one in collect_garbage_beside_tasks(store, dry_run=args.dry_run):
        yield _row(store, "", one, args)


def _garbage_rows(
    store: Store, task: str, args: argparse.Namespace, patience: Patience
) -> Iterator[Row]:
    limits = {"keep": args.keep, "older_than_s": args.older_than}
    try:
        found = collect_garbage(store, task, **limits, dry_run=args.dry_run, patience=patience)
    except SptError as error:
        yield {"task": task, "damage": str(error)}
        return
    for one in found:
        yield _row(store, task, one, args)


def _row(store: Store, task: str, one: Garbage, args: argparse.Namespace) -> Row:
    return {
        "task": task,
        "version": one.version,
        "file": str(one.path.relative_to(store.root)),
        "bytes": one.num_bytes,
        "idle_since": utc(one.idle_since),
        "deleted": not args.dry_run,
    }


def _count(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"expected a number from 1, found {text!r}")
    return int(text)


def _age(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected a time such as 90s, 12h or 1d, found {text!r}")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds < MIN_AGE_S:
        raise argparse.ArgumentTypeError(
            f"expected {MIN_AGE_S:g}s or more, for services may still read what stopped answering "
            f"later; found {text}"
        )
    return seconds
