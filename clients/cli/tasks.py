"""`spt tasks`: what a service answers for, or what one task is."""

import argparse
import json
from typing import TYPE_CHECKING, Final

from adapters.shown import shown
from clients.cli.service_options import add_service_options, client_of, one_task

if TYPE_CHECKING:
    from rich.table import Table

    from serving.protocol import TaskInfo

_CLASSES_SHOWN: Final = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "task", nargs="?", type=one_task, help="tell all about this one, its classes too"
    )
    add_service_options(parser)
    parser.add_argument("--json", action="store_true", help="print as JSON")


def run(args: argparse.Namespace) -> int:
    """Ask, print, and return 0.

    Raises:
        ClientError: the service does not tell.
        OSError: the token's file cannot be read.
    """
    from rich.console import Console

    from clients.client import Client

    with client_of(args, Client) as client:
        found = client.tasks() if args.task is None else [client.task(args.task)]
    if args.json:
        told = [task.model_dump(mode="json") for task in found]
        print(json.dumps(told if args.task is None else told[0], indent=2))
    elif args.task is None:
        Console(highlight=False).print(_list(found))
    else:
        _show(found[0])
    return 0


def _list(tasks: "list[TaskInfo]") -> "Table":
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table("task", "version", "canary", box=SIMPLE)
    for task in tasks:
        table.add_row(Text(shown(task.task)), task.version[:12], _canary(task))
    return table


def _canary(task: "TaskInfo") -> str:
    canary = task.canary
    return "" if canary is None else f"{canary.version[:12]} for {canary.share:.1%}"


def _show(task: "TaskInfo") -> None:
    names = [shown(name) for name in task.class_names or ()]
    more = f", and {len(names) - _CLASSES_SHOWN:,} more" if len(names) > _CLASSES_SHOWN else ""
    rows = {
        "task": task.task,
        "version": task.version,
        "canary": _canary(task),
        "method": task.method,
        "classes": task.num_classes,
        "names": ", ".join(names[:_CLASSES_SHOWN]) + more,
        "metrics": ", ".join(f"{name} {one:.4g}" for name, one in (task.metrics or {}).items()),
        "versions": " ".join(version[:12] for version in task.versions or ()),
        "trouble": task.trouble,
    }
    for name, value in rows.items():
        if value:
            print(f"{name:9}{shown(str(value))}")
