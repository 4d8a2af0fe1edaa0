"""`python -m clients COMMAND`: those who ask the service, at the command line."""

import sys
from collections.abc import Sequence

from adapters.program import Program
from clients.cli import TABLE

PROGRAM = Program("python -m clients", "Ask the service.", (TABLE,))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    return PROGRAM.main(argv)


if __name__ == "__main__":
    sys.exit(main())
