"""Rows to their adapters, stage by stage: warm tasks, then those to look up, then those to load.

Knows lookups and the bank; nothing of images or forwards.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Final

from serving.deadline import Deadline
from serving.forward.ended import ended
from serving.inference.bank import AdapterBank, Lease
from serving.inference.lookup import Lookup
from serving.observing.observers import OBSERVERS
from serving.rows.resident import AdapterKey, Resident
from serving.rows.row import Row, pending

SEARCH_S: Final = 0.5
"""Least time for a load, and for a stand-in to be found, though images took all of the patience."""

LOOK_UP_S: Final = 2.0
"""Least time for a batch to learn which versions its tasks have."""

MAX_STAND_INS: Final = 2
"""Other versions tried for one row, at most; it then gets its error, and the next may get more."""


def seat(
    rows: Sequence[Row], lookup: Lookup, bank: AdapterBank, leases: ExitStack, deadline: Deadline
) -> Iterator[list[Row]]:
    """Yield the rows as their adapters are there; those that get none end with their error.

    Where an adapter cannot be loaded and the query named no version, an earlier version answers.

    Args:
        rows: of one batch; each is yielded once at most.
        lookup: chooses the versions.
        bank: of the adapters.
        leases: until they end, what was yielded keeps its adapter.
        deadline: until when the batch waits, in all, for what is cold or stands in.
    """
    looked_up_by = deadline.at_least(LOOK_UP_S)
    # one after the other: what is known computes while what is not is still being looked up
    groups: Iterable[list[Row]] = (
        _chosen(some, lookup, looked_up_by) for some in lookup.known_first(rows)
    )
    failed = dict[AdapterKey, Exception]()
    for stand_ins_left in range(MAX_STAND_INS, -1, -1):
        waiting, late = list[Row](), list[tuple[Lease, list[Row]]]()
        for group in groups:
            lease = leases.enter_context(bank.lease(row.key for row in group))
            waiting += group
            late.append((lease, [row for row in group if row.key in lease.loads]))
            yield equip([row for row in group if row.key in lease.residents], lease.residents)
        loaded_by = deadline.at_least(SEARCH_S)
        for lease, some in late:
            _await(lease, some, loaded_by)
            yield equip(some, lease.residents)
            OBSERVERS.served(ended(some))
            failed |= lease.failed
        if not (failed and stand_ins_left):
            return
        groups = [lookup.choose_again(waiting, failed, deadline.at_least(SEARCH_S))]


def equip(rows: Sequence[Row], residents: Mapping[AdapterKey, Resident | Exception]) -> list[Row]:
    """Give each row its adapter, or the error that it ends with; return those that go on."""
    for row in rows:
        found = residents[row.key]
        if isinstance(found, Exception):
            row.outcome = found
        else:
            row.resident = found
    return pending(rows)


def _chosen(rows: Sequence[Row], lookup: Lookup, deadline: Deadline) -> list[Row]:
    begin_s = time.monotonic()
    found = lookup.choose(rows, deadline)
    OBSERVERS.phase("lookup", begin_s, (row.query for row in rows))
    return found


def _await(lease: Lease, rows: Sequence[Row], deadline: Deadline) -> None:
    """Wait for what is still loading, and is these rows'."""
    begin_s = time.monotonic()
    lease.wait(deadline.left_s)
    OBSERVERS.phase("load", begin_s, (row.query for row in rows))
