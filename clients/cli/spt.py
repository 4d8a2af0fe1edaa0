"""`spt COMMAND`: the commands of all packages behind one name.

Knows the packages by name alone: a command whose packages are not installed says what to install.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from adapters.program import Program

PACKAGES: Final = ("trainer", "adapters", "serving", "clients")
DESCRIPTION: Final = (
    "Train tiny adapters for a frozen Vision Transformer, publish them, and serve them all at once."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    tables = [import_module(f"{package}.cli").TABLE for package in PACKAGES]
    return Program("spt", DESCRIPTION, tables, distribution="spt-serving").main(argv)


if __name__ == "__main__":
    sys.exit(main())
