"""A thread that keeps a long-running process up with Redis, off the path of its requests.

It hears announcements, and asks whether a Redis that is down is back. What it misses is found in
the store's feed. Knows nothing of Redis' protocol.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing

from adapters.cache.jitter import jittered
from adapters.cache.redis_cache import AdapterCache

CHECK_EVERY_S = 0.5
"""How often Redis is asked whether it is there, give or take a fifth."""

LONGEST_PAUSE_S = 1.0
"""Before it connects anew."""

_MOMENT_S = 0.1
_CLOSE_S = 5.0
_log = logging.getLogger(__name__)


class Watcher:
    """Tells those who remember pointers where to look again.

    Args:
        cache: the Redis; until `close` no caller of it probes a Redis that is down.
        expire: called with the task of each announcement.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        cache: AdapterCache,
        expire: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_hearing = False
        self._cache = cache
        self._expire = expire
        self._clock = clock
        self._check_at = 0.0
        self._trouble = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch-redis", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._cache.probe_elsewhere(True)
        self._thread.start()

    def close(self) -> None:
        """End; waits for the thread, a fraction of a second."""
        self._closing.set()
        self._thread.join(_CLOSE_S)
        self._cache.probe_elsewhere(False)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._watch()
            except Exception as error:
                self._note(error)
            self.is_hearing = False
            self._closing.wait(jittered(LONGEST_PAUSE_S, 0.1, 1.0))

    def _watch(self) -> None:
        """Watch until the connection is lost, Redis does not answer, or `close`."""
        if not self._cache.answers():
            return
        with closing(self._cache.announcements(_MOMENT_S)) as announcements:
            for task in announcements:
                if self._closing.is_set() or not self._keeps_up(task):
                    return

    def _keeps_up(self, task: str | None) -> bool:
        """Pass news on; return whether Redis is there, as far as was looked."""
        if task is not None:
            self._expire(task)
        if self.is_hearing and self._clock() < self._check_at:
            return True
        self.is_hearing = self._cache.answers()
        self._check_at = self._clock() + jittered(CHECK_EVERY_S)
        return self.is_hearing

    def _note(self, error: Exception) -> None:
        """Log what should not have happened, once for each kind."""
        trouble = type(error).__name__
        if trouble != self._trouble:
            _log.error("the watcher of Redis stumbled and begins anew", exc_info=error)
        self._trouble = trouble
