"""`spt show`: all that is known about a task and its current version."""

import argparse

from adapters.cli.options import add_store_options, task_suggested
from adapters.cli.rows import Row
from adapters.cli.signing.trusting import add_trust_option, signers_row, trusted
from adapters.cli.tables import show, show_fields
from adapters.store.audit import Finding, examine
from adapters.store.directory import Store
from adapters.store.objects.opened import store_at


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("task", help="its id")
    add_trust_option(parser, "say which of them have signed the current version")
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Show the task; 1 if its current version is damaged, or not signed by whom you trust."""
    store = store_at(args.store)
    store.trust = trusted(args)
    with task_suggested(store, args.task):
        found = _fields(store, args.task)
    return show(found, args.json, _show)


def _fields(store: Store, task: str) -> Row:
    record = store.record(task)
    found = examine(store, task, record.version)
    about: Row = {}
    if found.meta is not None:
        is_checked = store.trust is not None
        about = found.meta.model_dump(mode="json") | _signatures(found, is_checked=is_checked)
    damage = {"damage": found.damage} if found.damage else {}
    return {
        **record.model_dump(mode="json"),
        "held": store.versions(task),
        **about,
        **damage,
    }


def _signatures(found: Finding, *, is_checked: bool) -> Row:
    """Return how many signatures the version has, and which keys they name, or what was checked."""
    said: Row = {"found": len(found.claims), "checked": is_checked}
    if not is_checked:
        said["named_keys"] = list(found.claims)
    elif found.signers is not None:
        said |= signers_row(found.signers)
    return {"signatures": said}


def _show(row: Row) -> None:
    if "signatures" in row:
        row = row | {"signatures": _in_words(row["signatures"])}
    if "card" in row:
        row = row | {"card": f"{len(row['card']):,} characters, see --json"}
    if "samples" in row:
        labels = ", ".join(one["label"] for one in row["samples"])
        row = row | {"samples": f"{len(row['samples'])} images, see --json: {labels}"}
    show_fields(row)


def _in_words(said: Row) -> str:
    if said["checked"]:
        by = ", ".join(said.get("signed_by", ["nobody who is trusted"]))
        where = ", inside the artifact" if said.get("embedded") else ""
        return f"{said['found']}, checked: by {by}{where}"
    named = ", ".join(name[:16] or "no key" for name in said["named_keys"])
    return f"{said['found']}, not checked; they name {named}" if named else "0"
