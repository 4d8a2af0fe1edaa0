"""The store at the command line: `python -m adapters --help`.

Parses, calls, prints. Exit codes: 0 done, 1 our error or damage found, 2 wrong usage.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.cache import AdapterCache
from adapters.cached_store import CachedStore
from adapters.codec import decode, decode_meta, short
from adapters.errors import AdapterError, StoreUnavailable
from adapters.store import DirectoryStore

Row = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        cache = AdapterCache.from_url(args.redis) if args.redis else None
    except ValueError as error:
        parser.error(f"--redis or REDIS_URL {args.redis!r}: {error}")
    try:
        found: list[Row] | Row = args.run(CachedStore(DirectoryStore(args.store), cache), args)
    except AdapterError as error:
        print(error, file=sys.stderr)
        return 1
    rows = found if isinstance(found, list) else [found]
    print(json.dumps(found, indent=1)) if args.json else _print_table(rows)
    return 1 if any(row.get("damage") for row in rows) else 0


def _ls(store: CachedStore, _: argparse.Namespace) -> list[Row]:
    return [_summary(store.store, task) for task in store.tasks()]


def _show(store: CachedStore, args: argparse.Namespace) -> list[Row] | Row:
    truth, pointer = store.store, store.store.current(args.task)
    history = [entry.model_dump() for entry in truth.history(args.task)]
    fields = {**pointer.model_dump(), "history": history, "held": truth.versions(args.task)}
    fields |= decode_meta(truth.read(args.task, pointer.version)).model_dump(mode="json")
    return fields if args.json else [{"field": k, "value": v} for k, v in fields.items()]


def _verify(store: CachedStore, args: argparse.Namespace) -> list[Row]:
    names = [(task, version) for task in store.tasks() for version in store.store.versions(task)]
    rows = [{"task": t, "version": v, "damage": _damage(store.store, t, v)} for t, v in names]
    told = {row["task"] for row in rows if row["damage"]}
    return rows + [r for r in _ls(store, args) if r.get("damage") and r["task"] not in told]


def _publish(store: CachedStore, args: argparse.Namespace) -> Row:
    try:
        data = args.file.read_bytes()
    except OSError as error:
        raise StoreUnavailable(f"{args.file} cannot be read: {error.strerror}") from error
    pointer = store.publish(data)
    return {"task": decode_meta(data).task.id, **pointer.model_dump()}


def _rollback(store: CachedStore, args: argparse.Namespace) -> Row:
    return {"task": args.task, **store.rollback(args.task).model_dump()}


def _rm(store: CachedStore, args: argparse.Namespace) -> Row:
    version = store.store.resolve_version(args.task, args.version)
    store.store.remove(args.task, version)
    return {"task": args.task, "removed": version}


def _summary(store: DirectoryStore, task: str) -> Row:
    try:
        entry = store.history(task)[-1]
        data = store.read(task, entry.version)
        meta = decode_meta(data)
    except AdapterError as error:
        return {"task": task, "damage": str(error)}
    row = {"task": task, "version": entry.version, "classes": len(meta.task.class_names)}
    row |= {"method": meta.method, "backbone": meta.backbone.name}
    row |= {"test_accuracy": meta.metrics.get("test_accuracy")}
    return row | {"bytes": len(data), "published": entry.published_at}


def _damage(store: DirectoryStore, task: str, version: str) -> str | None:
    try:
        decode(store.read(task, version))
    except AdapterError as error:
        return str(error)
    return None


def _print_table(rows: list[Row]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns)
    for row in rows:
        values = {**row, "version": short(row.get("version", ""))}
        table.add_row(*(escape(str(values.get(column) or "")) for column in columns))
    Console().print(table if rows else "nothing is published in this store")


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--store", type=Path, default=Path("runs/store"), help="its folder")
    common.add_argument("--redis", default=os.environ.get("REDIS_URL"), help="else REDIS_URL")
    common.add_argument("--json", action="store_true", help="for programs")
    parser = argparse.ArgumentParser(prog="python -m adapters", description="The adapters' store.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for run, arguments, text in (
        (_ls, (), "list the tasks and what is current"),
        (_show, ("task",), "all that is known about a task and its current version"),
        (_verify, (), "decode every artifact; exit 1 if any is damaged"),
        (_publish, ("file",), "make an artifact its task's current version"),
        (_rollback, ("task",), "make the version before the current one current"),
        (_rm, ("task", "version"), "delete a version that is not current"),
    ):
        command = commands.add_parser(run.__name__[1:], help=text, parents=[common])
        for name in arguments:
            command.add_argument(name, type=Path if name == "file" else str)
        command.set_defaults(run=run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
