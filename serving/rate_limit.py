"""How many rows a tenant may ask: its bucket in this process, and behind it one for all of them.

A row has to pass both. The first costs nothing, refuses a flood by itself, and is all there is
while Redis is away; the second makes the limit hold over all processes. Redis is asked for the
rows of a tenth of a second at once and not while it is known to have none: about ten commands a
second for a tenant below its limit, and never more than one for each `take`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from adapters.rate_limit import Grant, SharedLimit
from serving.tenants import Tenant

FETCHED_AT_ONCE_S: Final = 0.1
"""For how long a tenant that uses all of its rate lives on what one command brings."""


@dataclass
class _Account:
    """What this process knows of one tenant's limit; moments in seconds of its clock.

    Attributes:
        full_at: when its bucket here would be full again.
        fetched: rows that the shared bucket has granted and nobody has used.
        empty_until: when the shared bucket has a row again.
    """

    full_at: float = 0.0
    fetched: int = 0
    empty_until: float = 0.0


class RateLimit:
    """Limits every tenant to its own rate; safe for many threads.

    Args:
        shared: the buckets of all processes; None if this is the only one.
        clock: seconds that only grow.
    """

    def __init__(
        self, shared: SharedLimit | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared = shared
        self._clock = clock
        self._accounts: dict[str, _Account] = {}
        self._lock = Lock()

    def take(self, tenant: Tenant, rows: int) -> Grant:
        """Return how many of so many rows may go on, and when one more may."""
        with self._lock:
            account = self._accounts.setdefault(tenant.name, _Account())
            here = self._take_here(account, tenant, rows)
            if self._shared is None or here.granted == 0:
                return here
            shared = self._take_shared(self._shared, account, tenant, here.granted)
            return here if shared.granted == here.granted else shared

    def _take_here(self, account: _Account, tenant: Tenant, rows: int) -> Grant:
        now, interval = self._clock(), 1 / tenant.requests_per_s
        owed = min(max(account.full_at - now, 0.0), tenant.burst * interval)
        granted = max(0, min(rows, int(tenant.burst - owed / interval)))
        owed += granted * interval
        account.full_at = now + owed
        wait = 0.0 if granted == rows else max(0.0, owed - (tenant.burst - 1) * interval)
        return Grant(granted, wait)

    def _take_shared(
        self, shared: SharedLimit, account: _Account, tenant: Tenant, rows: int
    ) -> Grant:
        now, missing = self._clock(), rows - account.fetched
        if missing > 0 and now >= account.empty_until:
            usual = int(tenant.requests_per_s * FETCHED_AT_ONCE_S)
            answer = shared.take(
                tenant.name,
                rate=tenant.requests_per_s,
                burst=tenant.burst,
                count=max(missing, min(usual, tenant.burst)),
            )
            if answer is None:
                return Grant(rows, 0.0)
            account.fetched += answer.granted
            if answer.granted < missing:
                account.empty_until = now + answer.wait_s
        granted = min(rows, account.fetched)
        account.fetched -= granted
        return Grant(granted, 0.0 if granted == rows else max(0.0, account.empty_until - now))
