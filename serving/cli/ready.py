"""`spt ready`: whether the service takes callers, as an exit code with its reason."""

import argparse
import json

from adapters.streams import say
from serving.cli.folder import add_folder_option
from serving.service import why_not_ready


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_folder_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Say it, and return 0 if the service takes callers, else 1."""
    reason = why_not_ready(args.folder)
    if args.json:
        print(json.dumps({"ready": reason is None, "reason": reason}))
    else:
        say(reason or "ready")
    return 1 if reason else 0
