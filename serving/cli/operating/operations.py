"""`spt operations`: what an operator installs around a service, as files."""

import argparse
from pathlib import Path

from serving.operations.write import write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("operations"), help="where they are written"
    )
    parser.add_argument("--force", action="store_true", help="replace files that differ")


def run(args: argparse.Namespace) -> int:
    """Write them all, and name them.

    Raises:
        LaunchError: a file is there that differs.
    """
    for path in write(args.folder, force=args.force):
        print(path)
    return 0
