"""`spt shadow TASK --end`: no version computes copies of the task's requests any more."""

import argparse

from adapters.cli.moves.moving import add_move_options, moved
from adapters.cli.options import change


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.epilog = (
        "--expect names the version that should be the shadow. 'spt promote TASK VERSION' makes a "
        "shadow current, and ends it by that."
    )
    parser.add_argument("task", help="its id")
    parser.add_argument("--end", action="store_true", required=True, help="end the task's shadow")
    add_move_options(parser)


def run(args: argparse.Namespace) -> int:
    """End the shadow, and say what answers."""
    return moved(
        args,
        lambda store, expect: store.end_shadow(args.task, expected=expect, change=change(args)),
    )
