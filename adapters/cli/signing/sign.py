"""`spt sign`: one more signature next to versions of a store, or next to a file."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.artifact.codec import read_contents, version_of
from adapters.artifact.task import is_task_id
from adapters.cli.options import add_store_options, task_suggested
from adapters.cli.rows import Row, show_stream
from adapters.cli.signing.sidecar import envelope_of, read_sidecar, sidecar_of
from adapters.cli.signing.trusting import add_trust_option, trusted
from adapters.errors import SptError
from adapters.named_file import read_named
from adapters.program import UsageError
from adapters.store import durable
from adapters.store.directory import Store
from adapters.store.objects.opened import store_at
from adapters.trust.envelope import key_id, sign
from adapters.trust.keys import load_private_key
from adapters.trust.statement import statement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.epilog = (
        "Of a task it signs all that may answer: the current version, canary, shadow, history and "
        "pinned versions. No version changes by that. Signatures of a file go to FILE.sig.json, "
        "where publish finds them."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="TASK|FILE",
        help="ids of published tasks, or artifacts such as digits.safetensors",
    )
    parser.add_argument("--all", action="store_true", help="all tasks of the store")
    parser.add_argument("--key", type=Path, required=True, help="private key, PEM")
    parser.add_argument(
        "--version", metavar="V", help="of one task sign this one alone; 6 hex digits or more"
    )
    add_trust_option(parser, "sign only what one of them has signed already")
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Sign, and list what was signed; 1 if anything was not."""
    if args.all == bool(args.names):
        raise UsageError("name tasks or files, or give --all")
    one_task = len(args.names) == 1 and is_task_id(args.names[0])
    if args.version is not None and not one_task:
        raise UsageError("--version is about one task: name one")
    store, key = store_at(args.store), load_private_key(args.key)
    store.trust = trusted(args)
    names = store.tasks() if args.all else args.names
    rows = (row for name in names for row in _rows(store, name, args.version, key))
    return show_stream(rows, args.json, "nothing is published in this store")


def _rows(store: Store, name: str, version: str | None, key: Ed25519PrivateKey) -> Iterator[Row]:
    if not is_task_id(name):
        yield _file_row(store, Path(name), key)
        return
    try:
        with task_suggested(store, name):
            versions = _versions(store, name, version)
    except SptError as error:
        yield {"task": name, "damage": f"not signed: {error}"}
        return
    for one in versions:
        yield {"task": name, "version": one} | _signed(store, name, one, key)


def _versions(store: Store, task: str, version: str | None) -> list[str]:
    if version is not None:
        return [store.resolve_version(task, version)]
    return sorted(store.record(task).named)


def _signed(store: Store, task: str, version: str, key: Ed25519PrivateKey) -> Row:
    try:
        store.check_trusted(task, version)
        read_contents(store.read(task, version))  # nothing damaged is ever signed
        found = store.add_signatures(task, version, sign(statement(task, version), key))
    except SptError as error:
        return {"damage": f"not signed: {error}"}
    return {"key": key_id(key.public_key()), "signatures": len(found.signatures)}


def _file_row(store: Store, file: Path, key: Ed25519PrivateKey) -> Row:
    try:
        data = read_named(file)
        task, version = read_contents(data).meta.task.id, version_of(data)
        if store.trust is not None:
            store.trust.check(task, version, read_sidecar(file), lambda: data)
        found = envelope_of(file, task, version, key)
        assert found is not None
        durable.write(sidecar_of(file), found.to_json())
    except (SptError, OSError) as error:
        return {"file": str(file), "damage": f"not signed: {error}"}
    return {
        "file": str(sidecar_of(file)),
        "task": task,
        "version": version,
        "key": key_id(key.public_key()),
        "signatures": len(found.signatures),
    }
