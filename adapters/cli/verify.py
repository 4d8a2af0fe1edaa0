"""`spt verify`: everything in the store is read and checked."""

import argparse
from functools import partial

from adapters.cli.ls import EMPTY
from adapters.cli.options import add_store_options
from adapters.cli.tables import finding_row, show, show_rows
from adapters.store.audit import audit
from adapters.store.directory import DirectoryStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """List every version; 1 if anything is damaged, missing or foreign."""
    rows = [finding_row(finding) for finding in audit(DirectoryStore(args.store))]
    return show(rows, args.json, partial(show_rows, empty=EMPTY))
