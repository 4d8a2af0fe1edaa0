"""The store at the command line: `python -m adapters --help`.

Parses, calls, prints. Exit codes: 0 done, 1 our error or damage found, 2 wrong usage.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from adapters.cache import AdapterCache
from adapters.cached_store import CachedStore
from adapters.codec import decode, decode_meta, short
from adapters.errors import AdapterError
from adapters.store import DirectoryStore

Row = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        cache = AdapterCache.from_url(args.redis) if args.redis else None
    except ValueError as error:
        parser.error(f"--redis or REDIS_URL: {error}")
    try:
        found: list[Row] | Row = args.run(CachedStore(DirectoryStore(args.store), cache), args)
    except (AdapterError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    rows = found if isinstance(found, list) else [found]
    print(json.dumps(found, indent=1)) if args.json else _print_table(rows)
    return 1 if any(row.get("damage") for row in rows) else 0


def _ls(store: CachedStore, _: argparse.Namespace) -> list[Row]:
    return [_row(store.store, task) for task in store.tasks()]


def _show(store: CachedStore, args: argparse.Namespace) -> list[Row] | Row:
    truth, pointer = store.store, store.store.current(args.task)
    history = [entry.model_dump() for entry in truth.history(args.task)]
    fields = {**pointer.model_dump(), "history": history, "held": truth.versions(args.task)}
    fields |= decode_meta(truth.read(args.task, pointer.version)).model_dump(mode="json")
    return fields if args.json else [{"field": k, "value": v} for k, v in fields.items()]


def _verify(store: CachedStore, args: argparse.Namespace) -> list[Row]:
    truth = store.store
    rows = [_row(truth, task, v) for task in truth.tasks() for v in truth.versions(task)]
    seen = {(row["task"], row["version"]) for row in rows}
    return rows + [row for row in _ls(store, args) if (row["task"], row["version"]) not in seen]


def _publish(store: CachedStore, args: argparse.Namespace) -> Row:
    data = Path(args.file).read_bytes()
    pointer = store.publish(data)
    return {"task": decode_meta(data).task.id, **pointer.model_dump()}


def _rollback(store: CachedStore, args: argparse.Namespace) -> Row:
    return {"task": args.task, **store.rollback(args.task).model_dump()}


def _rm(store: CachedStore, args: argparse.Namespace) -> Row:
    store.store.remove(args.task, args.version)
    return {"task": args.task, "removed": args.version}


def _row(store: DirectoryStore, task: str, version: str = "") -> Row:
    try:
        published = {entry.version: entry.published_at for entry in store.history(task)}
        version = version or store.current(task).version
        data = store.read(task, version)
        meta = decode(data).meta
    except AdapterError as error:
        return {"task": task, "version": version, "damage": str(error)}
    row = {"task": task, "version": version, "classes": len(meta.task.class_names)}
    row |= {"method": meta.method, "backbone": meta.backbone.name, "bytes": len(data)}
    accuracy = meta.metrics.get("test_accuracy")
    rounded = None if accuracy is None else round(accuracy, 4)
    return row | {"test_accuracy": rounded, "published": published.get(version)}


def _print_table(rows: list[Row]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*(Column(name, overflow="fold") for name in columns), box=SIMPLE)
    for row in rows:
        cells = {k: escape(str(v)) for k, v in row.items() if v is not None}
        cells["version"] = short(cells.get("version", ""))
        table.add_row(*(cells.get(column, "") for column in columns))
    width = None if sys.stdout.isatty() else 160
    Console(width=width).print(table if rows else "nothing is published in this store")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m adapters", description="The adapters' store.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for run, arguments, text in (
        (_ls, "", "list the tasks and what is current"),
        (_show, "task", "all that is known about a task and its current version"),
        (_verify, "", "decode every artifact; exit 1 if any is damaged"),
        (_publish, "file", "make an artifact its task's current version"),
        (_rollback, "task", "make the version before the current one current"),
        (_rm, "task version", "delete a version that is not current"),
    ):
        command = commands.add_parser(run.__name__[1:], help=text)
        command.set_defaults(run=run)
        for name in arguments.split():
            command.add_argument(name)
        command.add_argument("--store", type=Path, default="runs/store", help="its folder")
        command.add_argument("--redis", default=os.environ.get("REDIS_URL"), help="or REDIS_URL")
        command.add_argument("--json", action="store_true", help="for programs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
