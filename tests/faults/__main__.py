"""The fault suite: `python -m tests.faults [--short] [--rows NAME …] [--out runs/faults]`.

Breaks the service in every way that it must survive, prints what was seen and writes it to
`<out>/summary.json` and `<out>/report.html`. It measures and never asserts: a row that does not
hold is reported.
"""

import argparse
import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.bench.result import conditions
from tests.faults.page import write_page
from tests.faults.row import Row, could_not_run
from tests.faults.rows import (
    cycles,
    damaged_artifacts,
    decoding_bombs,
    endurance,
    foreign_store,
    foreign_tasks,
    hanging_store,
    hostile_requests,
    large_bodies,
    lost_device,
    publisher_kills,
    publisher_races,
    publishes,
    redis_trouble,
    refused_callers,
    retried_changes,
    slow_callers,
    worker_kills,
)
from tests.faults.scene.scene import Scene, started
from tests.faults.sizes import LONG, SHORT, Sizes
from tests.faults.table import show

StoreRow = Callable[[Path, Sizes], Row]
ServedRow = Callable[[Scene, Sizes], Row]

STORES: Final[Mapping[str, StoreRow]] = {
    "publisher-kills": publisher_kills.run,
    "publisher-races": publisher_races.run,
    "cycles": cycles.run,
}
"""Rows that need no service, but a folder."""

SERVICES: Final[Mapping[str, ServedRow]] = {
    "publishes": publishes.run,
    "redis": redis_trouble.run,
    "hanging-store": hanging_store.run,
    "foreign-store": foreign_store.run,
    "foreign-tasks": foreign_tasks.run,
    "retried-changes": retried_changes.run,
    "worker-kills": worker_kills.run,
    "lost-device": lost_device.run,
    "hostile": hostile_requests.run,
    "damaged": damaged_artifacts.run,
    "bombs": decoding_bombs.run,
    "largest-images": decoding_bombs.run_largest,
    "refused": refused_callers.run,
    "large-bodies": large_bodies.run,
    "slow-callers": slow_callers.run,
    "endurance": endurance.run,
}
"""Rows that share one service."""

NAMES: Final = (*STORES, *SERVICES)

_WAITING: Final = "OMP_WAIT_POLICY"
"""The service's threads sleep while they wait for each other: the load is on the same cores, and a
thread that spins keeps the one it waits for off them, for up to 0.2 s now and then."""


def main() -> None:
    """Run the named rows one after the other."""
    args = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    folder = args.out / "scene"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    logging.basicConfig(filename=args.out / "faults.log", filemode="w", level=logging.WARNING)
    os.environ.setdefault(_WAITING, "PASSIVE")
    machine = conditions(short=args.short) | {_WAITING: os.environ[_WAITING]}
    report = Report(args.out / "summary.json", machine)
    names, sizes = args.rows or NAMES, SHORT if args.short else LONG
    for name, run in STORES.items():
        if name in names:
            report.add(name, partial(run, folder / name, sizes))
    served = {name: run for name, run in SERVICES.items() if name in names}
    if served:
        _run_on_one_service(served, folder / "service", sizes, report)
    show(report.rows)
    print(f"wrote {report.path} and {write_page(report.path)}")


class Report:
    """The rows so far, written down after each.

    Args:
        path: of the summary.
        machine: what every row's conditions say of it.
    """

    def __init__(self, path: Path, machine: Mapping[str, Any]) -> None:
        self.path = path
        self.rows: list[Row] = []
        self._machine = machine

    def add(self, name: str, run: Callable[[], Row]) -> None:
        """Run a row; one that cannot run is a row too."""
        print(f"{name} …", flush=True)
        began = time.monotonic()
        try:
            row = run()
        except Exception as error:
            logging.exception("%s could not run", name)
            row = could_not_run(name, error)
        print(f"{name}: {row.figure} [{time.monotonic() - began:.0f} s]", flush=True)
        self.rows.append(row)
        documents = [one.document(self._machine) for one in self.rows]
        self.path.write_text(json.dumps(documents, indent=1) + "\n")


def _run_on_one_service(
    rows: Mapping[str, ServedRow], folder: Path, sizes: Sizes, report: Report
) -> None:
    """Run rows on one service, mended after each; without it none of the rest can run."""
    left = dict(rows)
    try:
        with started(folder) as scene:
            for name, run in rows.items():
                del left[name]
                report.add(name, partial(run, scene, sizes))
                scene.make_whole()
    except Exception as error:
        logging.exception("no service to run on")
        for name in left:
            report.add(name, partial(_raise, error))


def _raise(error: Exception) -> Row:
    raise error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--out", type=Path, default=Path("runs/faults"))
    parser.add_argument("--short", action="store_true", help="less of everything; 15 minutes")
    return parser


if __name__ == "__main__":
    main()
