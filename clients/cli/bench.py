"""`spt bench`: a running service under load, and how fast it answers."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.program import UsageError
from adapters.shown import shown
from clients.cli.service_options import add_service_options, at_least_one, client_of, one_task

if TYPE_CHECKING:
    from clients.load.closed import Ask, LatencySummary, Outcome

_MOST_REASONS: Final = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("images", type=Path, nargs="+", help="image files, or folders of them")
    parser.add_argument(
        "--task", type=_share, action="append", required=True, dest="tasks", metavar="TASK[=SHARE]",
        help="a task to ask; repeat it for a mix, such as --task digits=3 --task shapes",
    )  # fmt: skip
    load = parser.add_mutually_exclusive_group()
    load.add_argument(
        "--callers", type=at_least_one, default=8, metavar="N", help="each waits for its answer"
    )
    load.add_argument(
        "--rate",
        type=_positive,
        metavar="N",
        help="requests a second, also while the service is slow",
    )
    parser.add_argument("--seconds", type=_positive, default=10.0, help="how long it is asked")
    parser.add_argument("--seed", type=int, default=0, help="of the mix")
    add_service_options(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Put the service under load, print the figures, and return 1 if nothing was answered.

    Raises:
        OSError: an image or the token's file cannot be read.
    """
    from clients.load.figures import failures, figures_by_task
    from clients.load.mix import mixed, read_images, tasks_by_share

    images, shares = read_images(args.images), dict(args.tasks)
    if not images:
        raise UsageError("expected JPEG, PNG or WebP images in the folders, found none")
    asks = mixed(images, tasks_by_share(shares, args.seed))
    outcomes, late = asyncio.run(_load(args, asks))
    tasks = [task for task, _ in zip(tasks_by_share(shares, args.seed), outcomes, strict=False)]
    figures, reasons = figures_by_task(tasks, outcomes), failures(outcomes)
    if args.json:
        print(json.dumps({"tasks": figures, "late": late, "failures": reasons}, indent=1))
    else:
        _show(figures, reasons, late)
    return int(all(outcome.error is not None for outcome in outcomes))


async def _load(args: argparse.Namespace, asks: "Iterator[Ask]") -> "tuple[Sequence[Outcome], int]":
    """Return what became of each request, and how many of a constant rate were sent late."""
    from clients.client import AsyncClient
    from clients.load.closed import run_load
    from clients.load.live import live_view
    from clients.load.mix import for_seconds, tasks_by_share
    from clients.load.open import run_rate

    tasks = tasks_by_share(dict(args.tasks), args.seed)
    async with client_of(args, AsyncClient, retries=0) as client:
        with live_view(tasks, is_wanted=sys.stderr.isatty()) as see:
            if args.rate is None:
                timed = for_seconds(asks, args.seconds)
                return await run_load(client, timed, concurrency=args.callers, on_done=see), 0
            load = await run_rate(client, asks, args.rate, args.seconds, on_done=see)
            return load.outcomes, load.held_back


def _show(figures: "dict[str, LatencySummary]", reasons: dict[str, int], late: int) -> None:
    from rich.console import Console

    from clients.load.figures import figures_table

    console = Console(highlight=False)
    console.print(figures_table(figures))
    for reason, count in list(reasons.items())[:_MOST_REASONS]:
        console.print(shown(f"{count} failed: {reason}"), markup=False, soft_wrap=True)
    if late:
        console.print(f"{late} were sent late: more are asked for than the service answers")


def _share(text: str) -> tuple[str, float]:
    task, equals, share = text.partition("=")
    return one_task(task), _positive(share) if equals else 1.0


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text}")
    return number
