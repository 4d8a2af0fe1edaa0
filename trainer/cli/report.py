"""`spt report`: what finished runs left, as a page."""

import argparse
from pathlib import Path

from adapters.streams import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="a run's folder")


def run(args: argparse.Namespace) -> int:
    """Write a report into each folder.

    Raises:
        DataError: a folder holds no finished run.
    """
    from trainer.report.page import write_report

    for folder in args.folders:
        say(f"wrote {write_report(folder)}")
    return 0
