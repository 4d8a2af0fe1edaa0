"""The command `demo`: run the scenario, show the outcome, leave the files."""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from clients.demo import scenario
from clients.demo.errors import DemoError
from clients.demo.plan import Plan, make_plan
from clients.demo.processes import signals_interrupt
from clients.demo.report import render
from clients.demo.scenario import DemoResult
from clients.demo.terminal import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="the demo's folder")
    parser.add_argument("--quick", action="store_true", help="only show that everything works")


def run(args: argparse.Namespace) -> int:
    """Run the demo and return 0 if it kept its promises, else 1; 130 if it was interrupted.

    Raises:
        ClientError: the service could not be asked.
        OSError: the folder cannot be written.
    """
    console, plan = Console(highlight=False), make_plan(args.out, quick=args.quick)
    try:
        with signals_interrupt():
            result = scenario.run(console, plan)
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped, with everything that was started", file=sys.stderr)
        return 130
    _leave(plan, result)
    show(console, result.summary, plan)
    faults = result.summary.faults()
    if faults:
        print("error:", "; ".join(faults), file=sys.stderr)
    return int(bool(faults))


def _leave(plan: Plan, result: DemoResult) -> None:
    rows = [record.row() for record in result.records]
    (plan.out / "requests.json").write_text(json.dumps(rows, indent=0))
    (plan.out / "summary.json").write_text(result.summary.model_dump_json(indent=2))
    (plan.out / "report.html").write_text(render(result), encoding="utf-8")
