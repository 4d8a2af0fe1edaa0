"""`spt guard TASK`: a canary is ended as soon as it is worse, or promoted once it was not."""

import argparse
import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from time import sleep, strftime
from typing import Final
from urllib.parse import urlsplit

from adapters.cache.publishing import open_store
from adapters.cli.options import add_store_options, redis_url, task_suggested
from adapters.cli.signing.trusting import add_trust_option, trusted
from adapters.program import UsageError
from adapters.streams import say
from serving.guard.counts import Counts
from serving.guard.rule import Rule
from serving.guard.watch import Look, Terms, Watch

STOPPED: Final = "stopped: nobody watches the canary any more"

_USUAL: Final = "http://127.0.0.1:8083/metrics"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.epilog = (
        "Exit codes: 0 the canary has kept to the rule for --for, 3 it was ended, 4 somebody else "
        "has ended, promoted or replaced it, 1 an error."
    )
    parser.add_argument("task", help="its id")
    parser.add_argument(
        "--metrics",
        type=_url,
        action="append",
        metavar="URL",
        help=f"of a service that answers for it, asked directly; may be repeated ({_USUAL})",
    )
    usual = Rule()
    parser.add_argument(
        "--errors",
        type=float,
        default=usual.errors,
        metavar="SHARE",
        help="of its rows that may fail by its own fault",
    )
    parser.add_argument(
        "--latency",
        type=float,
        default=usual.latency,
        metavar="TIMES",
        help="how many times the current version's latency it may take",
    )
    parser.add_argument(
        "--quantile", type=float, default=usual.quantile, metavar="Q", help="of the latency"
    )
    parser.add_argument(
        "--min-rows",
        type=int,
        default=usual.min_rows,
        metavar="N",
        help="rows of the canary before anything is decided",
    )
    parser.add_argument(
        "--for", dest="for_s", type=_seconds, metavar="TIME", help="watch so long, such as 10m"
    )
    parser.add_argument(
        "--promote", action="store_true", help="make it current after that, if rows were enough"
    )
    parser.add_argument(
        "--every", type=_seconds, default="5s", metavar="TIME", help="from look to look"
    )
    add_trust_option(parser, "promote nothing that none of them has signed")
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """Watch, print a line for each look, and return how it ended."""
    if args.promote and args.for_s is None:
        raise UsageError("--promote needs --for: how long it has to keep to the rule")
    store = open_store(Path(args.store), redis_url(args))
    store.store.trust = trusted(args)
    counts = Counts(args.task, args.metrics or [_USUAL])
    with task_suggested(store.store, args.task):
        watch = Watch(store, args.task, counts, Terms(_rule(args), args.for_s, args.promote))
    counts.begin()
    code, told = 0, tuple[str, ...]()
    for look in watch.looks(args.every, sleep):
        if look.troubles != told:
            print("\n".join(look.troubles) or "all can be read again", file=sys.stderr)
        _print(look, is_json=args.json)
        code, told = (0 if look.end is None else look.end.value), look.troubles
    return code


def _rule(args: argparse.Namespace) -> Rule:
    try:
        return Rule(
            errors=args.errors,
            latency=args.latency,
            quantile=args.quantile,
            min_rows=args.min_rows,
        )
    except ValueError as error:
        lines = str(error).splitlines()
        raise UsageError(f"--{lines[1].replace('_', '-')}: {lines[2].strip()}") from error


def _print(look: Look, *, is_json: bool) -> None:
    if is_json:
        end = None if look.end is None else look.end.name.lower()
        row = {
            "line": look.line,
            "end": end,
            "canary": look.canary._asdict(),
            "current": look.current._asdict(),
        }
        print(json.dumps(row), flush=True)
    else:
        say(f"{strftime('%H:%M:%S')} {look.line}")


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh])", text)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"expected a time such as 90s, 10m or 1h, found {text!r}")
    return float(found[1]) * _UNITS[found[2]]


def _url(text: str) -> str:
    with suppress(ValueError):
        if urlsplit(text).scheme in ("http", "https") and urlsplit(text).hostname:
            return text
    raise argparse.ArgumentTypeError(f"expected an address such as {_USUAL}, found {text!r}")
