"""`--trust`: whose signature counts for a command, as `trusted_keys` says it for a service."""

import argparse
from pathlib import Path
from typing import NamedTuple

from adapters.artifact.task import check_task_pattern
from adapters.cli.rows import Row
from adapters.store.directory import Store
from adapters.trust.policy import Signers, Trust, TrustedKey


class _Named(NamedTuple):
    """A key as it was typed: its file, and patterns of the tasks that it is trusted for."""

    file: Path
    tasks: tuple[str, ...]


def add_trust_option(parser: argparse.ArgumentParser, does: str) -> None:
    """Declare what `trusted` reads; `does` says what the command makes of it."""
    parser.add_argument(
        "--trust",
        type=_named,
        action="append",
        metavar="KEY[=TASKS]",
        help=f"public key, PEM, for all tasks or for some, such as a.public.pem=cub200,team-a-*; "
        f"may be repeated; {does}",
    )


def trusted(args: argparse.Namespace) -> Trust | None:
    """Return whom the command is told to trust, None where it asks nobody.

    Raises:
        KeyFileInvalid: a file is no public key.
    """
    if args.trust is None:
        return None
    from adapters.trust.keys import load_public_key

    return Trust([TrustedKey(load_public_key(one.file), one.tasks) for one in args.trust])


def checked(store: Store, task: str, version: str) -> Row:
    """Return who of those whom the store trusts has signed a version; nothing if it asks nobody.

    Raises:
        SignatureInvalid: none has.
    """
    signers = store.check_trusted(task, version)
    return {} if signers is None else signers_row(signers)


def signers_row(signers: Signers) -> Row:
    """Return the columns that say who has signed a version, and whether inside the artifact."""
    row: Row = {"signed_by": list(signers.keys)}
    return row | {"embedded": True} if signers.are_embedded else row


def _named(text: str) -> _Named:
    if "=" not in text or Path(text).exists():
        return _Named(Path(text), ("*",))
    file, _, patterns = text.rpartition("=")
    try:
        return _Named(Path(file), tuple(map(check_task_pattern, patterns.split(","))))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
