"""`spt promote`: the canary, or any version that the store holds, becomes current."""

import argparse

from adapters.cli.moves.moving import add_move_options, moved
from adapters.cli.options import change


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
    add_move_options(parser)


def run(args: argparse.Namespace) -> int:
    """Promote, and say what is current now."""
    return moved(
        args,
        lambda store, expect: store.promote(
            args.task, args.version, expected=expect, change=change(args)
        ),
    )
