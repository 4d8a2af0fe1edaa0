"""The option that says which service is meant; it may stand before or after the command."""

import argparse
from pathlib import Path


def add_folder_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--folder`."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("runs/serve"),
        help="of the service: its configuration, logs and tokens",
    )
