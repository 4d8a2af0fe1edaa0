"""`python -m serving COMMAND`: the service at the command line."""

import sys
from collections.abc import Sequence

from adapters.program import Program
from serving.cli import TABLE
from serving.cli.folder import add_folder_option

PROGRAM = Program(
    "python -m serving", "Start, watch and stop the service.", (TABLE,), options=add_folder_option
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    return PROGRAM.main(argv)


if __name__ == "__main__":
    sys.exit(main())
