"""The words and options of every command, and how they are read."""

import argparse
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from adapters.cli import commands, tables
from adapters.store.garbage import MIN_AGE_S

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; what it reads has `run`, the command, and `show`, which prints its result.

    A command's docstring is its help.
    """
    parser = argparse.ArgumentParser(
        prog="python -m adapters",
        description="The adapters' store. A version is given by its first 6 hex digits or more.",
    )
    add = partial(_add, parser.add_subparsers(required=True, metavar="command"))
    nothing = partial(tables.show_rows, empty="nothing is published in this store")
    add(commands.ls, show=nothing)
    add(commands.show, "task", show=tables.show_fields)
    add(commands.verify, show=nothing)
    diff = add(commands.diff, "task", show=tables.show_differences)
    diff.add_argument("a", nargs="?", metavar="A", help="default: what B took the place of")
    diff.add_argument(
        "b", nargs="?", metavar="B", help="default: the current one, or without A the canary"
    )
    publish = add(commands.publish, "file", show=tables.show_published)
    publish.add_argument("--canary", type=_share, metavar="SHARE", help=_SHARE_HELP)
    publish.add_argument("--sign", type=Path, metavar="KEY", help=_SIGN_HELP)
    promote = add(commands.promote, "task")
    promote.add_argument("version", nargs="?", help="default: the canary")
    for command in (publish, promote, add(commands.rollback, "task")):
        command.add_argument("--expect", metavar="VERSION|none", help=_EXPECT_HELP)
    pin = add(commands.pin, "task", "version")
    pin.add_argument("--off", action="store_true", help="let it be deleted again")
    add(commands.rm, "task", "version")
    gc = add(commands.gc, show=partial(tables.show_rows, empty="nothing to delete"))
    gc.add_argument("--keep", type=_count, default=5, metavar="N", help=_KEEP_HELP)
    gc.add_argument("--older-than", type=_age, default="1d", metavar="TIME", help=_AGE_HELP)
    gc.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    add(commands.keygen).add_argument("file", type=Path, help="such as keys/release")
    return parser


_SHARE_HELP = "answer this share of the task's requests beside the current version, in (0, 1)"
_SIGN_HELP = "private key, PEM; services with trusted_keys serve only what one of them has signed"
_EXPECT_HELP = "do nothing unless this version is current, or none is published"
_KEEP_HELP = "versions of each history that stay, the current one among them; default 5"
_AGE_HELP = f"since they stopped answering: 90s, 30m, 12h, 1d (the default); {MIN_AGE_S:g}s or more"


def _add(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    run: commands.Command,
    *positional: str,
    show: Callable[[Any], None] = tables.show_row,
) -> argparse.ArgumentParser:
    text = run.__doc__ or ""
    command = subparsers.add_parser(
        run.__name__, help=text.splitlines()[0].rstrip("."), description=text
    )
    command.set_defaults(run=run, show=show)
    for name in positional:
        command.add_argument(name)
    command.add_argument("--store", type=Path, default="runs/store", help="its folder")
    command.add_argument("--redis", default=os.environ.get("REDIS_URL"), help="or REDIS_URL")
    command.add_argument("--json", action="store_true", help="for programs")
    return command


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, found {text!r}")
    return share


def _count(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"expected a number from 1, found {text!r}")
    return int(text)


def _age(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected a time such as 90s, 12h or 1d, found {text!r}")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds < MIN_AGE_S:
        raise argparse.ArgumentTypeError(
            f"expected {MIN_AGE_S:g}s or more, for services may still read what stopped answering "
            f"later; found {text}"
        )
    return seconds
