"""`spt data ls|check|fetch|write`: which tasks there are, what of them is here, where to get it."""

import argparse
import json
from pathlib import Path
from shlex import quote
from typing import Any, Final

from adapters.artifact.task import SINGLE_LABEL, TARGET_KINDS
from adapters.program import UsageError
from adapters.streams import say
from trainer.data.known import BUILTIN_NAMES, DATA_ROOT, meant
from trainer.data.public.task import Archive, PublicTask
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.errors import DataError

STOPPED: Final = "stopped; a download goes on where it stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads: one action with its options."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("ls", help="every task that we know")
    listing.set_defaults(action=_list)

    check = actions.add_parser("check", help="what is there, what is missing, its source")
    check.add_argument("task", help="its id")
    check.add_argument(
        "--data", type=Path, help=f"its folder, list or shards (default: {DATA_ROOT}/TASK)"
    )
    check.add_argument(
        "--seed", type=int, default=0, help="of the splits that a layout leaves open"
    )
    check.add_argument(
        "--target", choices=TARGET_KINDS, default=SINGLE_LABEL, help="what labels say of an image"
    )
    check.add_argument(
        "--label-separator", metavar="TEXT", help="between names of a label (default: |)"
    )
    check.add_argument(
        "--class-order", nargs="+", default=(), metavar="CLASS",
        help="of ordered classes that are no numbers, from the lowest to the highest",
    )  # fmt: skip
    check.set_defaults(action=_check)

    fetching = actions.add_parser("fetch", help="download a task's official archives")
    fetching.add_argument("task", help="its id")
    fetching.add_argument("--data", type=Path, default=DATA_ROOT, help="the files go to DATA/TASK/")
    fetching.set_defaults(action=_fetch)

    writing = actions.add_parser("write", help="write a built-in task as folders of photos")
    writing.add_argument("task", choices=BUILTIN_NAMES, help="its id")
    writing.add_argument("folder", type=Path, help="new or empty; each class gets a folder in it")
    writing.add_argument("--each", type=int, default=50, metavar="N", help="images of each class")
    writing.set_defaults(action=_write)
    for action in (listing, check):
        action.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Do what the action says.

    Raises:
        DataError: images, labels or lists are missing or wrong, or cannot be fetched or written.
        UsageError: a number makes no sense.
    """
    args.action(args)
    return 0


def _list(args: argparse.Namespace) -> None:
    from rich.console import Console

    from trainer.data.public.listing import task_rows, task_table

    rows = task_rows(BUILTIN_NAMES, PUBLIC_TASKS)
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        Console().print(task_table(rows))


def _check(args: argparse.Namespace) -> None:
    from trainer.data.bad_files import bad_files, refuse_bad, without
    from trainer.data.images.copies import copies_told
    from trainer.data.labels.rules import LabelRules
    from trainer.data.load import load_task

    known = PUBLIC_TASKS.get(args.task)
    try:
        rules = LabelRules(args.target, args.label_separator, tuple(args.class_order))
        data = load_task(args.task, args.data, args.seed, labels=rules)
    except DataError as error:
        if known is None or known.source in str(error):
            raise
        raise DataError(f"{error}. Obtain: {known.source}") from error
    bad = bad_files(data)
    sound = without(data, bad)
    copies = sound.copies(sound.contents())
    found = {
        "task": args.task,
        "found": data.sizes(),
        "expected": None if known is None else known.all_sizes(),
        "sha256": data.list_digests(),
        "images": len(data.labels()) + len(data.strays),
        "copies": [copy._asdict() for copy in copies],
        "unreadable": [{"image": str(path), "reason": reason} for path, reason in bad.items()],
    }
    print(json.dumps(found, indent=1)) if args.json else _show_check(found, known)
    if copies and not args.json:
        say(copies_told(copies))
    refuse_bad(data, bad)


def _show_check(found: dict[str, Any], known: PublicTask | None) -> None:
    from rich.console import Console

    from trainer.data.public.listing import sizes_table

    bad = found["unreadable"]
    complete = "incomplete" if bad else "complete"
    say(f"{found['task']}: {known.title if known else complete}")
    Console().print(sizes_table(found["found"], known))
    for split, digest in found["sha256"].items():
        say(f"sha256 of the {split} list {digest}")
    for file in bad:
        say(f"{file['image']}: {file['reason']}")
    say(f"{len(bad):,} of {found['images']:,} images cannot be read")


def _fetch(args: argparse.Namespace) -> None:
    from rich.console import Console

    from trainer.data.public.fetch import fetch
    from trainer.data.public.progress import download_bar

    archives = _archives(args.task)
    folder, console = args.data / args.task, Console()
    size = sum(archive.megabytes for archive in archives)
    files = "one file" if len(archives) == 1 else f"{len(archives)} files"
    say(f"{args.task}: {files}, about {size:,} MB, into {folder}")
    terms = PUBLIC_TASKS[args.task].terms
    if terms:
        say(f"terms of its publisher: {terms}")
    for archive in archives:
        with download_bar(archive.name, console) as watch:
            digest = fetch(archive, folder, watch)
        say(f"{archive.name}: {digest}")
    say(
        f"unpacked in {folder}, where the archives may be deleted; next: "
        f"spt data check {args.task} --data {args.data}"
    )


def _write(args: argparse.Namespace) -> None:
    from trainer.data.builtin.photo_folders import write_photos

    if args.each < 1:
        raise UsageError(f"--each: expected 1 or more, found {args.each}")
    count = write_photos(args.task, args.folder, args.each)
    say(
        f"{count:,} images are in {args.folder}, a folder for each class; next: "
        f"spt train NAME --data {quote(str(args.folder))}"
    )


def _archives(task: str) -> tuple[Archive, ...]:
    if task in BUILTIN_NAMES:
        raise DataError(f"{task} is a built-in task, drawn on first use; there is nothing to fetch")
    known = PUBLIC_TASKS.get(task)
    if known is None:
        raise DataError(
            f"{task} is not a public task that we know; 'spt data ls' lists them{meant(task)}"
        )
    if not known.archives:
        raise DataError(
            f"{task} cannot be fetched by a command, only by hand: {known.source}. "
            f"Its folder holds: {known.files}"
        )
    return known.archives
