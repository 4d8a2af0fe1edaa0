"""`spt store copy`: tasks from one store to another, history and all."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from adapters.cli.options import add_json_option
from adapters.cli.rows import Row, show_stream
from adapters.errors import SptError
from adapters.store.directory import Store
from adapters.store.objects.copying import copy_task
from adapters.store.objects.opened import store_at


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("action", choices=["copy"], help="what to do")
    parser.add_argument("source", type=Path, metavar="FROM", help="a folder, or s3://bucket/prefix")
    parser.add_argument(
        "target", type=Path, metavar="TO", help="the same, made where it is missing"
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="ids; default: all tasks")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Copy, and list what was copied; 1 if a task could not be."""
    source, target = store_at(args.source), store_at(args.target)
    source.require_store()
    tasks = args.tasks or source.tasks()
    return show_stream(_copied(source, target, tasks), args.json, "nothing to copy")


def _copied(source: Store, target: Store, tasks: list[str]) -> Iterator[Row]:
    for task in tasks:
        try:
            done = copy_task(source, target, task)
        except SptError as error:
            yield {"task": task, "damage": str(error)}
        else:
            yield {"task": task, "sequence": done.sequence, "copied": done.num_versions}
