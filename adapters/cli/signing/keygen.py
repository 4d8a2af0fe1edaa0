"""`spt keygen`: a key that signs artifacts, FILE.private.pem and FILE.public.pem."""

import argparse
from pathlib import Path

from adapters.cli.options import add_json_option
from adapters.cli.tables import show, show_row
from adapters.trust.envelope import key_id
from adapters.trust.keys import generate_key, load_public_key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("file", type=Path, help="start of both files' names, such as keys/release")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Make the key, and say where it is and what it is called."""
    private, public = generate_key(args.file)
    key = key_id(load_public_key(public))
    return show({"private": str(private), "public": str(public), "key": key}, args.json, show_row)
