"""A thread that keeps a long-running process up with Redis, off the path of its requests.

It hears announcements, looks at the epoch behind them, and asks whether a Redis that is down is
back. Knows nothing of Redis' protocol.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing

from adapters.cache.redis_cache import AdapterCache
from adapters.redis.announcements import Announcement

CHECK_EVERY_S = 0.5
"""How often the epoch is read, give or take a fifth."""

LONGEST_PAUSE_S = 1.0
"""Before it connects anew."""

_MOMENT_S = 0.1
_CLOSE_S = 5.0
_log = logging.getLogger(__name__)


class Watcher:
    """Tells those who remember pointers when to look again.

    A connection that is lost, an epoch that grew without an announcement and one that went back
    are all the same: everything is told to be out of date, and it connects anew.

    Args:
        cache: the Redis; until `close` no caller of it probes a Redis that is down.
        expire: called with the task of each announcement.
        expire_all: called when anything may have been missed.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        cache: AdapterCache,
        expire: Callable[[str], None],
        expire_all: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_hearing = False
        self._cache = cache
        self._expire = expire
        self._expire_all = expire_all
        self._clock = clock
        self._heard = self._told = 0
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
            if self.is_hearing:
                self.is_hearing = False
                self._expire_all()
            self._closing.wait(LONGEST_PAUSE_S * random.uniform(0.1, 1.0))

    def _watch(self) -> None:
        """Watch until the connection is lost, an announcement was missed, or `close`."""
        if self._cache.epoch() is None:
            return
        with closing(self._cache.announcements(_MOMENT_S)) as announcements:
            for news in announcements:
                if self._closing.is_set() or not self._keeps_up(news):
                    return

    def _keeps_up(self, news: Announcement | None) -> bool:
        """Pass news on, and now and then look at the epoch; whether nothing was missed so far."""
        if news is not None:
            self._heard = max(self._heard, news.epoch)
            self._expire(news.task)
        if self.is_hearing and self._clock() < self._check_at:
            return True
        epoch = self._cache.epoch()
        if epoch is None:
            return False
        if self.is_hearing and (epoch < self._heard or self._told > self._heard):
            return False
        if not self.is_hearing:
            self._heard = epoch
            self.is_hearing = True
            self._expire_all()
        self._told = epoch
        self._check_at = self._clock() + CHECK_EVERY_S * random.uniform(0.8, 1.2)
        return True

    def _note(self, error: Exception) -> None:
        """Log what should not have happened, once for each kind."""
        trouble = type(error).__name__
        if trouble != self._trouble:
            _log.error("the watcher of Redis stumbled and begins anew", exc_info=error)
        self._trouble = trouble
