"""`spt publish`: an artifact becomes its task's current version, its canary or its shadow."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.artifact.bounds import MAX_PROMPTS, MAX_PROMPTS_PUBLISHED
from adapters.artifact.codec import decode_meta, version_of
from adapters.cache.cached_store import CachedStore
from adapters.cache.publishing import open_store
from adapters.cli.options import (
    add_change_options,
    add_expect_option,
    add_store_options,
    change,
    expected,
    redis_url,
)
from adapters.cli.rows import Row, show_stream
from adapters.cli.signing.sidecar import envelope_of
from adapters.cli.signing.trusting import add_trust_option, checked, trusted
from adapters.cli.tables import show, show_row
from adapters.errors import ArtifactCorrupt, SptError
from adapters.named_file import read_named
from adapters.program import UsageError
from adapters.store.former_version import compare_with_former


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.epilog = "Warns of classes that are not what and where they were in the version before."
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="an artifact, such as digits.safetensors; several are published one after the other",
    )
    beside = parser.add_mutually_exclusive_group()
    beside.add_argument(
        "--canary",
        type=_share,
        metavar="SHARE",
        help="share of the task's requests that it answers, in (0, 1)",
    )
    beside.add_argument(
        "--shadow",
        type=_share_or_all,
        metavar="SHARE",
        help="share of the task's requests of which it computes copies, in (0, 1]; it answers none",
    )
    parser.add_argument(
        "--sign",
        type=Path,
        metavar="KEY",
        help="private key, PEM; services with trusted_keys serve only what one of them has signed; "
        "signatures in FILE.sig.json are taken along, too",
    )
    add_trust_option(parser, "publish nothing that none of them has signed")
    parser.add_argument(
        "--max-prompts",
        type=int,
        default=MAX_PROMPTS_PUBLISHED,
        metavar="N",
        help=f"most prompts per block that are published; services load {MAX_PROMPTS:,} at most",
    )
    add_expect_option(parser)
    add_change_options(parser)
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Publish, and say what is current now; 1 if one of several files was not published."""
    store = open_store(args.store, redis_url(args))
    store.store.max_prompts = args.max_prompts
    store.store.trust = trusted(args)
    if len(args.files) == 1:
        return show(_published(store, args.files[0], args), args.json, show_row)
    if args.expect is not None or args.expect_sequence is not None:
        raise UsageError("--expect and --expect-sequence are about one task: give one file")
    if args.change_id is not None:
        _require_a_task_each(args.files)
    rows = (_published_or_not(store, file, args) for file in args.files)
    return show_stream(rows, args.json, "")


def _require_a_task_each(files: Sequence[Path]) -> None:
    """Refuse two files of one task, for a change's id names one change of a task."""
    seen: dict[str, Path] = {}
    for file in files:
        with suppress(SptError, OSError):  # which is said where the file is published
            task = _task_of(file, read_named(file))
            if task in seen:
                raise UsageError(
                    f"--change-id names one change of a task, found two of {task}: {seen[task]} "
                    f"and {file}; publish each with another id"
                )
            seen[task] = file


def _published_or_not(store: CachedStore, file: Path, args: argparse.Namespace) -> Row:
    try:
        return {"file": str(file), **_published(store, file, args)}
    except (SptError, OSError) as error:
        return {"file": str(file), "damage": f"not published: {error}"}


def _published(store: CachedStore, file: Path, args: argparse.Namespace) -> Row:
    data = read_named(file)
    task, version = _task_of(file, data), version_of(data)
    envelope = envelope_of(file, task, version, _key(args.sign))
    current = expected(store.store, task, args.expect)
    pointer = store.publish(
        data,
        expected=current,
        canary=args.canary,
        shadow=args.shadow,
        change=change(args),
        envelope=envelope,
    )
    compared = compare_with_former(store.store, data, pointer)
    row = {"task": task, **pointer.model_dump(), **checked(store.store, task, version)}
    if args.json:
        changes = None if compared.changes is None else compared.changes.model_dump(mode="json")
        row |= {"compared_with": compared.former, "class_changes": changes}
    elif warning := compared.warning(task):
        print(warning, file=sys.stderr)
    return row


def _task_of(file: Path, data: bytes) -> str:
    try:
        return decode_meta(data).task.id
    except ArtifactCorrupt as error:
        raise ArtifactCorrupt(f"{file}: {error}") from error


def _key(file: Path | None) -> Ed25519PrivateKey | None:
    if file is None:
        return None
    from adapters.trust.keys import load_private_key

    return load_private_key(file)


def _share(text: str) -> float:
    share = _share_or_all(text)
    if share == 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, found {text!r}")
    return share


def _share_or_all(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, found {text!r}")
    return share
