"""`spt fleet`: many tasks of one file, by several workers."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.program import UsageError
from adapters.streams import Stream, say

if TYPE_CHECKING:
    from trainer.fleet.fleet import Fleet
    from trainer.fleet.job import Job
    from trainer.fleet.publishing import StorePublisher

STOPPED: Final = (
    "stopped; the same command goes on: finished tasks stay, others go on where they were"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "tasks", type=Path, metavar="FILE", help="TOML: [defaults], and [tasks.NAME] for each task"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one per GPU, else per core)"
    )
    parser.add_argument(
        "--retries", type=int, default=2, metavar="N", help="how often a failed task is tried again"
    )
    parser.add_argument(
        "--out", type=Path, help="folder of the fleet (default: runs/fleet/NAME-OF-FILE)"
    )
    parser.add_argument("--store", type=Path, default=Path("runs/store"), help="where to publish")
    parser.add_argument("--no-publish", action="store_true", help="leave the store as it is")
    parser.add_argument(
        "--sign", type=Path, metavar="KEY", help="private key, PEM, that signs what is published"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs left")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Train all tasks; the exit code is 0 if each was finished.

    Raises:
        RecipeError: something in the file is wrong; nothing is trained.
        ResumeError: another fleet works in the folder.
        SptError: the folder or the store cannot be written, or the key cannot be used.
        UsageError: there is a key and nothing to sign, or a number makes no sense.
    """
    _check(args)
    from trainer.experiment.folder import check_writable, files_explained
    from trainer.fleet.fleet import Fleet
    from trainer.fleet.kept import alone
    from trainer.fleet.local_pool import LocalPool
    from trainer.fleet.terminal import audience

    folder = args.out or Path("runs/fleet") / args.tasks.stem
    check_writable(folder)
    jobs, publisher = _jobs(args, folder), _publisher(args)
    stream: Stream = "stderr" if args.json else "stdout"
    devices = _gpus()
    size = min(args.workers or _usual(devices), len(jobs))
    with files_explained(folder), alone(folder), _ended_by_sigterm():
        with audience(stream) as watchers:
            fleet = Fleet(folder, jobs, args.retries, publisher, watchers)
            watchers.say(f"{args.tasks}: {len(jobs)} tasks, {size} workers")
            pool = LocalPool(size, devices)
            try:
                fleet.run(pool)
            finally:
                pool.close()
                _report(fleet, folder)
        _tell(fleet, folder, is_json=args.json)
    return 0 if all(one.is_finished for one in fleet.standings.values()) else 1


def _check(args: argparse.Namespace) -> None:
    if args.sign is not None and args.no_publish:
        raise UsageError("--sign signs what is published: leave out --no-publish")
    if args.workers is not None and args.workers < 1:
        raise UsageError(f"--workers {args.workers}: expected 1 or more")
    if args.retries < 0:
        raise UsageError(f"--retries {args.retries}: expected 0 or more")


def _jobs(args: argparse.Namespace, folder: Path) -> "list[Job]":
    from trainer.errors import RecipeError
    from trainer.fleet.listing import read_jobs

    jobs, faults = read_jobs(args.tasks, folder, fresh=args.fresh)
    if not faults:
        return jobs
    for fault in faults[:-1]:
        say(f"{args.tasks}: {fault}", "stderr")
    raise RecipeError(f"{args.tasks}: {faults[-1]}; nothing was trained")


def _publisher(args: argparse.Namespace) -> "StorePublisher | None":
    if args.no_publish:
        return None
    from adapters.trust.keys import load_private_key
    from trainer.cli.training import opened_store
    from trainer.fleet.publishing import StorePublisher

    key = None if args.sign is None else load_private_key(args.sign)
    return StorePublisher(opened_store(args.store), args.store, key)


def _gpus() -> list[str]:
    """Return the GPUs that this process sees, as CUDA_VISIBLE_DEVICES names them."""
    import os

    import torch

    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    found = range(torch.cuda.device_count())
    return [named[i] if i < len(named) else str(i) for i in found]


def _usual(devices: list[str]) -> int:
    import os

    return len(devices) or len(os.sched_getaffinity(0))


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end this block as Ctrl-C does."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _report(fleet: "Fleet", folder: Path) -> None:
    from trainer.fleet.report import write_report

    write_report(folder, list(fleet.standings.values()))


def _tell(fleet: "Fleet", folder: Path, *, is_json: bool) -> None:
    from rich.console import Console

    from trainer.fleet.kept import REPORT
    from trainer.fleet.report import JSON
    from trainer.fleet.terminal import standings_table

    if is_json:
        sys.stdout.write((folder / JSON).read_text())
        return
    Console().print(standings_table(list(fleet.standings.values())))
    say(f"report {folder / REPORT}")
