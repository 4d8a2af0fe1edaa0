"""`python -m adapters COMMAND`: the store at the command line."""

import sys
from collections.abc import Sequence

from adapters.cli import TABLE
from adapters.program import Program

PROGRAM = Program("python -m adapters", "Look after the store of published adapters.", (TABLE,))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    return PROGRAM.main(argv)


if __name__ == "__main__":
    sys.exit(main())
