"""`python -m trainer data check|ls|fetch`: what is there, what is missing, where it comes from."""

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from trainer.data.bad_files import bad_files, refuse_bad
from trainer.data.builtin.catalogue import BUILTIN
from trainer.data.load import DATA_ROOT, load_task
from trainer.data.public.fetch import fetch
from trainer.data.public.listing import compare_sizes, list_tasks
from trainer.data.public.task import Archive, PublicTask
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.data.task_data import TaskData
from trainer.errors import DataError
from trainer.experiment.terminal import say


def add_data_commands(commands: Any) -> None:
    """Add `data` to the trainer's commands, the object that `add_subparsers` returns."""
    data = commands.add_parser("data", help="check, list or fetch the images of tasks")
    actions = data.add_subparsers(required=True, metavar="ACTION")

    check = actions.add_parser("check", help="what is there, what is missing, its source")
    check.add_argument("task")
    check.add_argument("--data", type=Path, help=f"the task's folder; default {DATA_ROOT}/<task>")
    check.add_argument(
        "--seed", type=int, default=0, help="of the splits that a layout leaves open"
    )
    check.set_defaults(act=_check)

    listing = actions.add_parser("ls", help="every task that we know")
    listing.set_defaults(act=_list)

    fetching = actions.add_parser("fetch", help="download a task's official archives")
    fetching.add_argument("task")
    fetching.add_argument(
        "--data", type=Path, default=DATA_ROOT, help="the files go to <DATA>/<task>/"
    )
    fetching.set_defaults(act=_fetch)


def _check(args: argparse.Namespace) -> None:
    known = PUBLIC_TASKS.get(args.task)
    data = _load(args.task, args.data, args.seed, known)
    bad = bad_files(data)
    console = Console()
    console.print(f"{args.task}: {known.title if known else 'incomplete' if bad else 'complete'}")
    console.print(compare_sizes(data, known))
    for split, digest in data.list_digests().items():
        console.print(f"sha256 of the {split} list {digest}", soft_wrap=True, highlight=False)
    for path, why in bad.items():
        say(f"{path}: {why}")
    say(f"{len(bad):,} of {len(data.labels()) + len(data.strays):,} images cannot be read")
    refuse_bad(data, bad)


def _load(task: str, data: Path | None, seed: int, known: PublicTask | None) -> TaskData:
    try:
        return load_task(task, data, seed)
    except DataError as error:
        if known is None or known.source in str(error):
            raise
        raise DataError(f"{error}. Obtain: {known.source}") from error


def _list(args: argparse.Namespace) -> None:
    Console().print(list_tasks(BUILTIN, PUBLIC_TASKS))


def _fetch(args: argparse.Namespace) -> None:
    archives = _archives(args.task)
    folder = args.data / args.task
    console = Console()
    size = sum(archive.megabytes for archive in archives)
    files = "one file" if len(archives) == 1 else f"{len(archives)} files"
    console.print(f"{args.task}: {files}, about {size:,} MB, into {folder}")
    terms = PUBLIC_TASKS[args.task].terms
    if terms:
        console.print(f"terms of its publisher: {terms}")
    for archive in archives:
        digest = _fetch_one(archive, folder, console)
        console.print(f"{archive.name}: {digest}", soft_wrap=True, highlight=False)
    console.print(
        f"unpacked in {folder}, where the archives may be deleted; next: "
        f"python -m trainer data check {args.task} --data {args.data}",
        soft_wrap=True,
    )


def _archives(task: str) -> tuple[Archive, ...]:
    if task in BUILTIN:
        raise DataError(f"{task} is a built-in task, drawn on first use; there is nothing to fetch")
    known = PUBLIC_TASKS.get(task)
    if known is None:
        raise DataError(
            f"{task} is not a public task that we know; 'python -m trainer data ls' lists them"
        )
    if not known.archives:
        raise DataError(
            f"{task} cannot be fetched by a command, only by hand: {known.source}. "
            f"Its folder holds: {known.files}"
        )
    return known.archives


def _fetch_one(archive: Archive, folder: Path, console: Console) -> str:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=console, transient=True) as bar:
        row = bar.add_task(archive.name, total=None)
        return fetch(
            archive, folder, lambda done, total: bar.update(row, completed=done, total=total)
        )
