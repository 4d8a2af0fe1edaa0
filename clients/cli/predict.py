"""The command `predict`: one image in, a table or JSON out."""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.client import DEFAULT_MODEL, DEFAULT_URL, Client
from clients.connection import http_url
from clients.errors import from_failure
from clients.wire import task_name
from serving.protocol import DEFAULT_TOP_K, Answer, Failure, MultiAnswer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("image", type=Path, help="a JPEG, PNG or WebP file")
    parser.add_argument(
        "--task", type=task_name, action="append", required=True, dest="tasks", metavar="TASK",
        help="the task to ask; repeat it to ask several in one call",
    )  # fmt: skip
    parser.add_argument("--version", help="ask this version, not the current one; one task only")
    parser.add_argument("--top-k", type=int, default=DEFAULT_TOP_K, help="how many classes")
    parser.add_argument("--url", type=http_url, default=DEFAULT_URL, help="the service's address")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="the model's name in the service")
    parser.add_argument(
        "--api-key", default=os.environ.get("SPT_API_KEY"),
        help="a tenant's key; better in SPT_API_KEY, because others can see this command line",
    )  # fmt: skip
    parser.add_argument(
        "--token-file", type=Path, default=os.environ.get("SPT_TOKEN_FILE"),
        help="a file with TorchServe's inference token, or SPT_TOKEN_FILE",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Ask, print, and return 0 if every task answered, else 1.

    Raises:
        ClientError: no task answered.
        OSError: the image or the token's file cannot be read.
    """
    if args.version and len(args.tasks) > 1:
        args.usage_error("--version: expected one --task beside it")
    answer = _ask(args)
    if args.json:
        print(answer.model_dump_json(indent=2))
    entries = answer.answers if isinstance(answer, MultiAnswer) else (answer,)
    for entry in entries:
        if isinstance(entry, Failure):
            print("error:", " ".join(str(from_failure(entry)).split()), file=sys.stderr)
        elif not args.json:
            Console().print(_table(entry))
    return int(any(isinstance(entry, Failure) for entry in entries))


def _client(args: argparse.Namespace) -> Client:
    try:
        return Client(args.url, model=args.model, api_key=args.api_key, token_file=args.token_file)
    except ValueError as err:
        args.usage_error(str(err))
        raise


def _ask(args: argparse.Namespace) -> Answer | MultiAnswer:
    with _client(args) as client:
        if len(args.tasks) > 1:
            return client.predict_many(args.image, tasks=args.tasks, top_k=args.top_k)
        return client.predict(
            args.image, task=args.tasks[0], top_k=args.top_k, version=args.version
        )


def _table(answer: Answer) -> Table:
    table = Table(title=Text(f"{answer.task} @ {answer.version[:12]}"))
    table.add_column("label")
    table.add_column("score", justify="right")
    table.add_column("index", justify="right")
    for row in answer.predictions:
        table.add_row(Text(row.label), f"{row.score:.1%}", str(row.index))
    return table
