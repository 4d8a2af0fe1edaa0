"""`spt predict`: one image in, a table or JSON out."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.program import UsageError
from adapters.shown import shown
from clients.cli.service_options import add_service_options, client_of, one_task
from serving.protocol import DEFAULT_TOP_K, Answer, Failure, MultiAnswer

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("image", type=Path, help="a JPEG, PNG or WebP file")
    parser.add_argument(
        "--task", type=one_task, action="append", required=True, dest="tasks", metavar="TASK",
        help="the task to ask; repeat it to ask several in one call",
    )  # fmt: skip
    parser.add_argument("--version", help="ask this version, not the current one; one task only")
    parser.add_argument("--top-k", type=int, default=DEFAULT_TOP_K, help="how many classes")
    for name, what in (("embed", "the feature"), ("logits", "all logits")):
        parser.add_argument(
            f"--{name}", action="store_true", help=f"{what}, too, as base64 of float32; with --json"
        )
    add_service_options(parser)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def run(args: argparse.Namespace) -> int:
    """Ask, print, and return 0 if every task answered, else 1.

    Raises:
        ClientError: no task answered.
        OSError: the image or the token's file cannot be read.
    """
    from rich.console import Console

    from clients.errors import from_failure

    if args.version and len(args.tasks) > 1:
        raise UsageError("--version: expected one --task with it")
    if (args.embed or args.logits) and not args.json:
        raise UsageError("--embed and --logits: expected --json with them")
    answer = _ask(args)
    if args.json:
        print(json.dumps(answer.model_dump(mode="json"), indent=2))
    entries = answer.answers if isinstance(answer, MultiAnswer) else (answer,)
    for entry in entries:
        if isinstance(entry, Failure):
            print("error:", shown(" ".join(str(from_failure(entry)).split())), file=sys.stderr)
        elif not args.json:
            Console().print(_table(entry) if entry.predictions else _title(entry))
    return int(any(isinstance(entry, Failure) for entry in entries))


def _ask(args: argparse.Namespace) -> Answer | MultiAnswer:
    from clients.client import Client
    from clients.wire import Options

    options = Options(top_k=args.top_k, embed=args.embed, logits=args.logits)
    with client_of(args, Client) as client:
        if len(args.tasks) > 1:
            return client.predict_many(args.image, tasks=args.tasks, **options)
        return client.predict(args.image, task=args.tasks[0], version=args.version, **options)


def _table(answer: Answer) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title=_title(answer))
    table.add_column("label", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("index", justify="right", no_wrap=True)
    for row in answer.predictions:
        table.add_row(Text(shown(row.label)), f"{row.score:.1%}", str(row.index))
    table.add_section()
    for group in answer.groups or ():
        table.add_row(Text(shown(group.group)), f"{group.score:.1%}", "group")
    return table


def _title(answer: Answer) -> "Text":
    from rich.text import Text

    return Text(f"{shown(answer.task)} @ {answer.version[:12]}{_said(answer)}")


def _said(answer: Answer) -> str:
    """Return what an answer says beside scores."""
    if answer.value is not None:
        return f": {answer.value:.6g}"
    if answer.labels is not None:
        return f": {', '.join(map(shown, answer.labels)) or 'none of its classes'}"
    return ": unknown, like none of its classes" if answer.unknown else ""
