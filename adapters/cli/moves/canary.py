"""`spt canary TASK --end`: the current version answers all requests again."""

import argparse

from adapters.cli.moves.moving import add_move_options, moved
from adapters.cli.options import change


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.epilog = "--expect names the version that should be the canary."
    parser.add_argument("task", help="its id")
    parser.add_argument("--end", action="store_true", required=True, help="end the task's canary")
    add_move_options(parser)


def run(args: argparse.Namespace) -> int:
    """End the canary, and say what answers now."""
    return moved(
        args,
        lambda store, expect: store.end_canary(args.task, expected=expect, change=change(args)),
    )
