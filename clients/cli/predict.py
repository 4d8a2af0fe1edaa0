"""`spt predict`: images in, tables, JSON, lines of JSON or CSV out."""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Final

from adapters.program import UsageError
from adapters.shown import shown
from clients.cli.service_options import add_service_options, at_least_one, client_of, one_task
from serving.protocol import DEFAULT_TOP_K, Answer, Failure, MultiAnswer

if TYPE_CHECKING:
    from clients.asking.calls import OnItem
    from clients.images.sources import Source
    from clients.wire import Options

_EXTRAS: Final = {
    "embed": "the feature",
    "logits": "all logits",
    "attention": "where the model looks",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE",
        help="JPEG, PNG or WebP files, folders of them, patterns such as 'photos/*.jpg', or http "
        "addresses, which are fetched from here",
    )  # fmt: skip
    parser.add_argument(
        "--task", type=one_task, action="append", required=True, dest="tasks", metavar="TASK",
        help="the task to ask; repeat it to ask several in one call",
    )  # fmt: skip
    parser.add_argument("--version", help="ask this version, not the current one; one task only")
    parser.add_argument("--top-k", type=int, default=DEFAULT_TOP_K, help="how many classes")
    for name, what in _EXTRAS.items():
        parser.add_argument(
            f"--{name}", action="store_true",
            help=f"{what}, too, as base64 of float32; with --json or --jsonl",
        )  # fmt: skip
    parser.add_argument(
        "--concurrency", type=at_least_one, default=8, metavar="N", help="images at the same time"
    )
    add_service_options(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true",
        help="print the answer as JSON; of several images, a list of each with its answers",
    )  # fmt: skip
    form.add_argument(
        "--jsonl", action="store_true", help="print a line of JSON for each image, as it comes"
    )
    form.add_argument("--csv", action="store_true", help="print a line for each class")


def run(args: argparse.Namespace) -> int:
    """Ask, print, and return 0 if every task answered for every image, else 1.

    Raises:
        ClientError: of a single image, and no task answered.
        OSError: the single image, or the token's file, cannot be read.
    """
    from clients.images.sources import sources_of

    if args.version and len(args.tasks) > 1:
        raise UsageError("--version: expected one --task with it")
    asked = [name for name in _EXTRAS if getattr(args, name)]
    if asked and not (args.json or args.jsonl):
        raise UsageError(f"--{asked[0]}: expected --json or --jsonl with it")
    try:
        sources = sources_of(args.images)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if sources.total == 1 and not (args.jsonl or args.csv):
        return _one(args, next(sources.images))
    return _many(args)


def _one(args: argparse.Namespace, source: "Source") -> int:
    from rich.console import Console

    from clients.cli.answers import answer_table
    from clients.client import Client
    from clients.errors import from_failure

    answer: Answer | MultiAnswer
    with client_of(args, Client) as client:
        if len(args.tasks) > 1:
            answer = client.predict_many(source.image, tasks=args.tasks, **_options(args))
        else:
            answer = client.predict(
                source.image, task=args.tasks[0], version=args.version, **_options(args)
            )
    if args.json:
        print(json.dumps(answer.model_dump(mode="json"), indent=2))
    entries = answer.answers if isinstance(answer, MultiAnswer) else (answer,)
    failed = [from_failure(entry) for entry in entries if isinstance(entry, Failure)]
    for entry in entries:
        if isinstance(entry, Answer) and not args.json:
            Console().print(answer_table(entry))
    _complain(*map(str, failed))
    return int(bool(failed))


def _many(args: argparse.Namespace) -> int:
    from rich.console import Console

    from clients.cli.answers import as_json, batch_table
    from clients.client import Client

    with client_of(args, Client) as client:
        result = client.predict_batch(
            args.images,
            task=args.tasks,
            version=args.version,
            concurrency=args.concurrency,
            progress=sys.stderr.isatty(),
            on_item=_printer(args),
            **_options(args),
        )
    if args.json:
        print(json.dumps(list(map(as_json, result)), indent=2))
    elif not (args.jsonl or args.csv):
        Console().print(batch_table(result))
    failures = [(item.image, one) for item in result for one in item.errors.values()]
    _complain(*(f"{image}: {error}" for image, error in failures))
    return int(bool(failures))


def _printer(args: argparse.Namespace) -> "OnItem":
    """Return what is done with each item as it comes."""
    from clients.cli.answers import csv_printer, print_line

    if args.csv:
        return csv_printer()
    return print_line if args.jsonl else lambda _: None


def _options(args: argparse.Namespace) -> "Options":
    from clients.wire import Options

    return Options(top_k=args.top_k, embed=args.embed, logits=args.logits, attention=args.attention)


def _complain(*errors: str) -> None:
    for error in errors:
        print("error:", shown(" ".join(error.split())), file=sys.stderr)
