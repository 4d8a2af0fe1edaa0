"""`spt stop`: all who have asked are answered, then what was started ends."""

import argparse

from adapters.streams import say
from serving.cli.folder import add_folder_option
from serving.service import stop


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_folder_option(parser)


def run(args: argparse.Namespace) -> int:
    """Stop the service; that there is none is no error."""
    say("stopped" if stop(args.folder) else f"nothing was started in {args.folder}")
    return 0
