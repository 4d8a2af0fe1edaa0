"""`spt rollback`: the version before becomes current; a canary goes on."""

import argparse
import sys

from adapters.artifact.codec import short
from adapters.cache.cached_store import CachedStore
from adapters.cli.moves.moving import add_move_options, moved
from adapters.cli.options import change
from adapters.store.directory import Expecting
from adapters.store.record import Pointer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("task", help="its id")
    add_move_options(parser)


def run(args: argparse.Namespace) -> int:
    """Roll back, and say what is current now."""

    def roll_back(store: CachedStore, expect: str | Expecting | None) -> Pointer:
        pointer = store.rollback(args.task, expected=expect, change=change(args))
        if pointer.canary is not None:
            canary = f"the canary {short(pointer.canary.version)} goes on"
            print(f"{canary}; 'spt canary {args.task} --end' ends it", file=sys.stderr)
        return pointer

    return moved(args, roll_back)
