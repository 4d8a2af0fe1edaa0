"""`spt key`: a key for a tenant, and the digest that lets it in."""

import argparse

from serving.door.tenants import make_key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("name", help="of the tenant")


def run(args: argparse.Namespace) -> int:
    """Print both; neither is kept."""
    made = make_key()
    print(f"key, for {args.name} alone, not shown again: {made.key}")
    print(f'digest, for "keys" of {args.name} in the file of tenants: "{made.digest}"')
    return 0
