"""Command line of the service: parse, one call, print."""

import argparse
import sys
from pathlib import Path

from adapters.errors import SptError
from adapters.streams import replace_what_cannot_be_shown
from serving.cli.export import add_export_commands
from serving.cli.keys import add_key_commands
from serving.cli.launch import add_launch_commands


def main() -> int:
    """Run one sub-command; 0 is success, 1 an error of ours in one line, 2 wrong usage."""
    replace_what_cannot_be_shown()
    args = _parser().parse_args()
    try:
        return args.act(args) or 0
    except SptError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/serve"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_launch_commands(commands)
    add_key_commands(commands)
    add_export_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
