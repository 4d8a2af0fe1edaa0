"""What a fork is to run: TorchServe's worker."""

import runpy
import sys


def run() -> None:
    """Run the file that TorchServe named, as Python would have run it."""
    runpy.run_path(sys.argv[0], run_name="__main__")
