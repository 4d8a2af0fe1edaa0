"""Whether versions that were read here are still in the store: asked anew as they are used.

A version that was deleted stops answering soon, though it is in memory. While the store does not
answer, what it said last goes on.
"""

import time
from collections.abc import Callable

from adapters.cache.store_calls import LIMIT_S, StoreCalls
from adapters.errors import StoreUnavailable

MOST = 10_000
"""Versions of which it is remembered when the store last held them."""


class HeldVersions:
    """Remembers for how long which version is taken to be held; safe for many threads.

    Args:
        holds: asks the store for a task's version.
        lifetime_s: how long its yes is good for.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        holds: Callable[[str, str], bool],
        lifetime_s: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._holds = holds
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._good_until: dict[tuple[str, str], float] = {}

    def has(self, task: str, version: str, calls: StoreCalls | None) -> bool:
        """Return whether the store holds a version, as far as it says so.

        Args:
            task: its id.
            version: all 64 hex digits.
            calls: asks in a thread, and waits for a moment at most; None waits for the store.
        """
        key, now = (task, version), self._clock()
        if now < self._good_until.get(key, now):
            return True
        if len(self._good_until) >= MOST:
            self._good_until.clear()
        self._good_until[key] = now + LIMIT_S  # meanwhile others go on with what is known

        def look() -> bool:
            is_held = self._holds(task, version)
            self._good_until[key] = self._clock() + (self._lifetime_s() if is_held else 0.0)
            return is_held

        try:
            return look() if calls is None else calls.ask(look, is_known=True)
        except StoreUnavailable:
            return True
