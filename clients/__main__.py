"""`python -m clients COMMAND`: finds the command's module, runs it, turns errors into one line."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from clients.errors import ClientError

# name -> (summary, module with add_arguments(parser) and run(args) -> exit code)
COMMANDS: Final = {
    "predict": ("classify one image with one or more tasks", "clients.cli.predict"),
    "demo": ("train, publish, serve and ask a few small tasks", "clients.cli.demo"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 fine, 1 our error, 2 usage."""
    words = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(prog="python -m clients", description="Ask the service.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (summary, module) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary}.")
        if words[:1] == [name]:  # the others' imports are not paid for
            chosen = import_module(module)
            chosen.add_arguments(command)
            command.set_defaults(run=chosen.run)
    args = parser.parse_args(words)
    try:
        return int(args.run(args))
    except (ClientError, OSError) as err:
        print("error:", " ".join(str(err).split()), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
