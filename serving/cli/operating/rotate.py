"""`spt rotate`: the token that callers send is replaced under traffic."""

import argparse
from typing import get_args

from adapters.streams import say
from serving.cli.folder import add_folder_option
from serving.launch.token_file import Kind
from serving.service import rotate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "kind", nargs="?", choices=get_args(Kind), default="inference", help="whose token"
    )
    add_folder_option(parser)


def run(args: argparse.Namespace) -> int:
    """Replace the token, and name the file that has the new one.

    Raises:
        LaunchError: there is no such service, or it made no new token.
    """
    path = rotate(args.folder, args.kind)
    say(f"{path} has a new token; the one before is refused from now on")
    return 0
