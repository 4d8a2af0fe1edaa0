"""How many rows a tenant may ask: its bucket in this process, and behind it one for all of them.

A row has to pass both. The first costs nothing, refuses a flood by itself, and is all there is
while Redis is away; the second makes the limit hold over all processes. Redis is asked for the
rows of a tenth of a second at once and not while it is known to have none: about ten commands a
second for a tenant below its limit, and never more than one for each `take`. A thread sends them,
so that rows wait for Redis no longer than it usually takes: those it is too slow for pass here
alone, and what it grants in the end is used by later ones.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import Final

from adapters.redis.shared_limit import Grant, SharedLimit
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
    asked: Future[Grant | None] | None = None


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

    def take(self, tenant: Tenant, rows: int) -> Grant:
        """Return how many of `rows` may go on, and when one more may."""
        # held while Redis is asked, or two threads would spend the same grant
        with self._lock:
            account = self._accounts.setdefault(tenant.name, _Account())
            here = self._take_here(account, tenant, rows)
            if self._shared is None or here.granted == 0:
                return here
            shared = self._take_shared(self._shared, account, tenant, here.granted)
            return here if shared.granted == here.granted else shared

    def close(self) -> None:
        """Let the asking thread and the connections go."""
        self._asking.shutdown()
        if self._shared is not None:
            self._shared.close()

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
            answer = self._answer(shared, account, tenant, missing)
            if answer is None:
                return Grant(rows, 0.0)
            account.fetched += answer.granted
            if answer.granted < missing:
                account.empty_until = now + answer.wait_s
        granted = min(rows, account.fetched)
        account.fetched -= granted
        return Grant(granted, 0.0 if granted == rows else max(0.0, account.empty_until - now))

    def _answer(
        self, shared: SharedLimit, account: _Account, tenant: Tenant, missing: int
    ) -> Grant | None:
        """Return what the shared bucket grants; None if it cannot say, or not yet.

        A bucket that has not answered the last question is neither asked again nor waited for.
        """
        patience_s = 0.0
        if account.asked is None:
            usual = int(tenant.requests_per_s * FETCHED_AT_ONCE_S)
            account.asked = self._asking.submit(
                shared.take,
                tenant.name,
                rate=tenant.requests_per_s,
                burst=tenant.burst,
                count=max(missing, min(usual, tenant.burst)),
            )
            patience_s = self._patience_s
        if not wait([account.asked], patience_s).done:
            return None
        answer, account.asked = account.asked.result(), None
        return answer
