"""Gauges, and counts that others keep: read once a second in the process that owns the device."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from serving.inference.state import Redis, State
from serving.metrics.series import Series

EVERY_S: Final = 1.0

_log = logging.getLogger(__name__)


class Sampler:
    """Copies the device's state into series; safe for many threads.

    Args:
        series: of this process.
        state: tells it.
        also: done after each copy.
    """

    def __init__(
        self, series: Series, state: Callable[[], State], also: Callable[[], None] = lambda: None
    ) -> None:
        self._series = series
        self._state = state
        self._also = also
        self._seen: dict[str, int] = {}
        self._has_failed = False
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def start(self) -> None:
        """Begin to copy, in a thread that ends with the process or with `close`."""
        threading.Thread(target=self._run, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Let the thread end."""
        self._closing.set()

    def sample(self) -> None:
        """Copy the state as it is now; that it cannot be read is logged once, and no error."""
        with self._lock:
            try:
                self._copy(self._state())
                self._also()
            except Exception:  # who only watches must not end, and must not fill the log
                if not self._has_failed:
                    _log.exception("the metrics of the device cannot be read")
                self._has_failed = True
            else:
                self._has_failed = False

    def _copy(self, now: State) -> None:
        gauges = {
            "spt_bank_bytes": now.bank_bytes,
            "spt_bank_limit_bytes": now.bank_limit_bytes,
            "spt_bank_adapters": now.adapters,
            "spt_versions_served": now.versions,
            "spt_stand_ins": now.stand_ins,
            "spt_store_up": int(now.store_is_up),
        }
        for name, value in gauges.items():
            self._series.set(name, float(value))
        self._count("spt_bank_hits_total", now.hits)
        self._count("spt_bank_misses_total", now.misses)
        self._count("spt_bank_evictions_total", now.evictions)
        if now.trunk is not None:
            self._series.set("spt_info", 1.0, *now.trunk)
        if now.redis is not None:
            self._copy_redis(now.redis)
        if now.memory is not None:
            for kind, num_bytes in now.memory._asdict().items():
                self._series.set("spt_device_memory_bytes", float(num_bytes), kind)

    def _copy_redis(self, now: Redis) -> None:
        self._series.set("spt_redis_up", float(now.is_up))
        self._count("spt_redis_failures_total", now.failures)

    def _count(self, name: str, so_far: int) -> None:
        self._series.count(name, float(so_far - self._seen.get(name, 0)))
        self._seen[name] = so_far

    def _run(self) -> None:
        while not self._closing.wait(EVERY_S):
            self.sample()
