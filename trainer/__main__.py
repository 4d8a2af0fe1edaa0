"""`python -m trainer COMMAND`: the trainer at the command line."""

import sys
from collections.abc import Sequence

from adapters.program import Program
from trainer.cli import TABLE

PROGRAM = Program("python -m trainer", "Train adapters, and measure them.", (TABLE,))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    return PROGRAM.main(argv)


if __name__ == "__main__":
    sys.exit(main())
