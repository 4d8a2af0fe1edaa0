"""`python -m trainer report FOLDER…`."""

import argparse
from pathlib import Path
from typing import Any

from trainer.report.page import write_report


def add_report_command(commands: Any) -> None:
    """Add `report` to the trainer's commands, the object that `add_subparsers` returns."""
    report = commands.add_parser("report", help="write the report of finished runs")
    report.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="a run folder")
    report.set_defaults(act=_report)


def _report(args: argparse.Namespace) -> None:
    for folder in args.folders:
        print(f"wrote {write_report(folder)}")
