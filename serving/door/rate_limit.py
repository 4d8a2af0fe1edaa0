"""How many rows a tenant may ask: its bucket in this process, and behind it one for all of them.

A row has to pass both. The first costs nothing, refuses a flood by itself, and is all there is
while Redis is away; the second makes the limit hold over all processes. Redis is asked for the
rows of a tenth of a second at once and not while it is known to have none: about ten commands a
second for a tenant below its limit, and never more than one for each batch. A thread sends them,
so that rows wait for Redis no longer than it usually takes: those it is too slow for pass here
alone, and what it grants in the end is used by later ones.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import Final

from adapters.redis.shared_limit import Grant, SharedLimit, Want
from serving.door.tenants import Tenant

FETCHED_AT_ONCE_S: Final = 0.1
"""For how long a tenant that uses all of its rate lives on what one command brings."""

PATIENCE_S: Final = 0.01
"""How long rows wait for Redis."""


@dataclass
class _Account:
    """What this process knows of one tenant's limit; moments in seconds of its clock.

    Attributes:
        full_at: when its bucket here would be full again.
        fetched: rows that the shared bucket has granted and nobody has used.
        empty_until: when the shared bucket has a row again.
        asked: of the shared bucket, and not answered yet.
    """

    full_at: float = 0.0
    fetched: int = 0
    empty_until: float = 0.0
    asked: Future[dict[str, Grant]] | None = None


class RateLimit:
    """Limits every tenant to its own rate; safe for many threads.

    Args:
        shared: the buckets of all processes; None if this is the only one.
        clock: seconds that only grow.
        patience_s: how long rows wait for the shared bucket.
    """

    def __init__(
        self,
        shared: SharedLimit | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._shared = shared
        self._clock = clock
        self._patience_s = patience_s
        self._asking = ThreadPoolExecutor(1, "rate")
        self._accounts: dict[str, _Account] = {}
        self._lock = Lock()

    @property
    def is_shared(self) -> bool:
        """Whether other processes count, too."""
        return self._shared is not None

    def take(self, wanted: Mapping[Tenant, int]) -> dict[Tenant, Grant]:
        """Return how many rows each tenant of a batch may go on with, and when one more may.

        Redis is asked by one command for all of them, and waited for once.
        """
        # held while Redis is asked, or two threads would spend the same grant
        with self._lock:
            grants = {tenant: self._take_here(tenant, rows) for tenant, rows in wanted.items()}
            if self._shared is not None:
                passed = {tenant: one.granted for tenant, one in grants.items() if one.granted}
                grants |= self._take_shared(self._shared, passed)
        return grants

    def close(self) -> None:
        """Let the asking thread and the connections go."""
        self._asking.shutdown()
        if self._shared is not None:
            self._shared.close()

    def _account(self, tenant: Tenant) -> _Account:
        return self._accounts.setdefault(tenant.name, _Account())

    def _take_here(self, tenant: Tenant, rows: int) -> Grant:
        account = self._account(tenant)
        now, interval = self._clock(), 1 / tenant.requests_per_s
        owed = min(max(account.full_at - now, 0.0), tenant.burst * interval)
        granted = max(0, min(rows, int(tenant.burst - owed / interval)))
        owed += granted * interval
        account.full_at = now + owed
        wait = 0.0 if granted == rows else max(0.0, owed - (tenant.burst - 1) * interval)
        return Grant(granted, wait)

    def _take_shared(
        self, shared: SharedLimit, passed: Mapping[Tenant, int]
    ) -> dict[Tenant, Grant]:
        """Return the grants of tenants who get less than has passed here."""
        now = self._clock()
        missing = {
            tenant: rows - self._account(tenant).fetched
            for tenant, rows in passed.items()
            if now >= self._account(tenant).empty_until
        }
        asking = {tenant: rows for tenant, rows in missing.items() if rows > 0}
        self._ask(shared, asking)
        # of whom Redis cannot say anything, or not yet, all that has passed here goes on
        unheard = {tenant for tenant, rows in asking.items() if not self._hear(tenant, rows, now)}
        found = {
            tenant: self._spend(self._account(tenant), rows, now)
            for tenant, rows in passed.items()
            if tenant not in unheard
        }
        return {tenant: grant for tenant, grant in found.items() if grant.granted < passed[tenant]}

    def _ask(self, shared: SharedLimit, missing: Mapping[Tenant, int]) -> None:
        """Ask the shared buckets, and wait for them.

        A bucket that has not answered the last question is neither asked again nor waited for.
        """
        free = [tenant for tenant in missing if self._account(tenant).asked is None]
        if not free:
            return
        wants = [_want(tenant, missing[tenant]) for tenant in free]
        question = self._asking.submit(shared.take, wants)
        for tenant in free:
            self._account(tenant).asked = question
        wait([question], self._patience_s)

    def _hear(self, tenant: Tenant, missing: int, now: float) -> bool:
        """Note what a shared bucket grants; return whether it has said anything."""
        account = self._account(tenant)
        question = account.asked
        if question is None or not question.done():
            return False
        account.asked = None  # first: whatever the answer is, the next batch asks again
        grant = None if question.exception() else question.result().get(tenant.name)
        if grant is None:
            return False
        account.fetched += grant.granted
        if grant.granted < missing:
            account.empty_until = now + grant.wait_s
        return True

    def _spend(self, account: _Account, rows: int, now: float) -> Grant:
        granted = min(rows, account.fetched)
        account.fetched -= granted
        return Grant(granted, 0.0 if granted == rows else max(0.0, account.empty_until - now))


def _want(tenant: Tenant, missing: int) -> Want:
    usual = int(tenant.requests_per_s * FETCHED_AT_ONCE_S)
    count = max(missing, min(usual, tenant.burst))
    return Want(tenant.name, tenant.requests_per_s, tenant.burst, count)
