"""`python -m serving rotate` and `key`: what callers show at the door."""

import argparse
from typing import Any, get_args

from serving.door.tenants import make_key
from serving.errors import LaunchError
from serving.torchserve.running import is_recorded, read
from serving.torchserve.tokens import Kind, rotate


def add_key_commands(commands: Any) -> None:
    """Add `rotate` and `key` to the service's sub-commands."""
    turn = commands.add_parser("rotate", help="replace the token that callers send")
    turn.add_argument("kind", nargs="?", choices=get_args(Kind), default="inference")
    turn.set_defaults(act=_rotate)
    key = commands.add_parser("key", help="make a key for a tenant")
    key.add_argument("name", help="of the tenant")
    key.set_defaults(act=_key)


def _rotate(args: argparse.Namespace) -> None:
    if not is_recorded(args.folder):
        raise LaunchError(f"nothing was started in {args.folder}; name its folder with --folder")
    path = rotate(args.folder, read(args.folder), args.kind)
    print(f"{path} has a new token; the one before is refused from now on")


def _key(args: argparse.Namespace) -> None:
    made = make_key()
    print(f"key, for {args.name} alone, not shown again: {made.key}")
    print(f'digest, for "keys" of {args.name} in the file of tenants: "{made.digest}"')
