"""`spt demo`: run the scenario, show the outcome, leave the files."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clients.demo.plan import Plan
    from clients.demo.scenario import DemoResult

STOPPED: Final = "stopped, with everything that was started"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="the demo's folder")
    parser.add_argument("--quick", action="store_true", help="only show that everything works")


def run(args: argparse.Namespace) -> int:
    """Run the demo and return 0 if it kept its promises, else 1.

    Raises:
        DemoError: a step did not work out.
        ClientError: the service could not be asked.
        OSError: the folder cannot be written.
    """
    from rich.console import Console

    from clients.demo import report, scenario, terminal
    from clients.demo.plan import make_plan
    from clients.demo.processes import signals_interrupt

    console, plan = Console(highlight=False), make_plan(args.out, quick=args.quick)
    with signals_interrupt():
        result = scenario.run(console, plan)
    _leave(plan, result, report.render(result))
    terminal.show(console, result.summary, plan)
    faults = result.summary.faults()
    if faults:
        print("error:", "; ".join(faults), file=sys.stderr)
    return int(bool(faults))


def _leave(plan: "Plan", result: "DemoResult", report: str) -> None:
    rows = [record.row() for record in result.records]
    (plan.out / "requests.json").write_text(json.dumps(rows, indent=0), encoding="utf-8")
    (plan.out / "summary.json").write_text(
        result.summary.model_dump_json(indent=2), encoding="utf-8"
    )
    (plan.out / "report.html").write_text(report, encoding="utf-8")
