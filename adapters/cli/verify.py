"""`spt verify`: everything in the store is read and checked."""

import argparse
import sys
import time
from collections.abc import Iterator

from adapters.cli.ls import EMPTY
from adapters.cli.options import add_store_options, add_tasks_argument, task_suggested
from adapters.cli.rows import Row, finding_row, show_stream
from adapters.cli.signing.trusting import add_trust_option, signers_row, trusted
from adapters.store.audit import Finding, audit, audit_task
from adapters.store.directory import Store
from adapters.store.objects.opened import store_at

_TOLD_EVERY_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_tasks_argument(parser)
    add_trust_option(parser, "what none of them has signed is reported, too")
    add_store_options(parser)


def run(args: argparse.Namespace) -> int:
    """List every version; 1 if anything is damaged, missing, foreign or not trusted."""
    store = store_at(args.store)
    store.trust = trusted(args)
    found = _of(store, args.tasks) if args.tasks else audit(store, _Progress())
    return show_stream(map(_row, found), args.json, EMPTY)


def _row(finding: Finding) -> Row:
    signers = finding.signers
    return finding_row(finding) | ({} if signers is None else signers_row(signers))


def _of(store: Store, tasks: list[str]) -> Iterator[Finding]:
    for task in tasks:
        with task_suggested(store, task):
            yield from audit_task(store, task)


class _Progress:
    """Says on stderr how far it is, now and then."""

    def __init__(self) -> None:
        self._tell_at = time.monotonic() + _TOLD_EVERY_S

    def __call__(self, done: int, of: int) -> None:
        if time.monotonic() >= self._tell_at:
            print(f"checked {done:,} of {of:,} tasks", file=sys.stderr, flush=True)
            self._tell_at = time.monotonic() + _TOLD_EVERY_S
