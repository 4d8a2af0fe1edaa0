"""Lookups in Redis: pointers, announcements of their moves, and small artifacts for a while.

All of it disposable. Nothing here raises: a Redis that is gone, slow, foreign or hostile is a miss,
and the store has the answer.
"""

import threading
import time
from collections.abc import Callable, Collection, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from redis import Redis

from adapters.artifact.codec import VERSION, version_of
from adapters.cache import redis_pointer
from adapters.cache.redis_keys import RedisKeys
from adapters.cache.redis_pointer import KeptPointer
from adapters.redis.address import client_for
from adapters.redis.link import RedisLink

_T = TypeVar("_T")

MAX_ARTIFACT_BYTES = 2_000_000
ARTIFACT_TTL_S = 24 * 3600
POINTER_TTL_S = 3600


@dataclass(frozen=True)
class CacheStats:
    """What became of the lookups so far; `errors` counts commands that failed."""

    hits: int = 0
    misses: int = 0
    errors: int = 0


class AdapterCache:
    """The pointers and artifacts of one store in one Redis; safe for many threads.

    Attributes:
        store_id: whose they are. While it is None nothing is asked or told, for the Redis may be
            another store's.
    """

    def __init__(
        self,
        client: Redis,
        *,
        retry_after_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = RedisLink(client, retry_after_s=retry_after_s, clock=clock)
        self.store_id: str | None = None
        self._hits = self._misses = 0
        self._lock = threading.Lock()

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        timeout_s: float = 0.05,
        retry_after_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> "AdapterCache":
        """Return a cache in the Redis at `url`; nothing is sent yet.

        Args:
            url: such as redis://127.0.0.1:6379/0; see adapters.redis.address.
            timeout_s: to connect, and for each answer; socket_timeout in the URL goes before it.
            retry_after_s: how long a Redis that failed is left alone.
            clock: seconds that only grow.

        Raises:
            ValueError: `url` is not the address of a Redis.
        """
        return cls(client_for(url, timeout_s), retry_after_s=retry_after_s, clock=clock)

    @property
    def stats(self) -> CacheStats:
        """Hits, misses and errors so far."""
        return CacheStats(self._hits, self._misses, self._link.errors)

    @property
    def is_up(self) -> bool:
        """Whether the last command that was sent was answered."""
        return self._link.breaker.is_up

    def probe_elsewhere(self, is_probed: bool) -> None:
        """Say whether somebody asks `answers` now and then, so that no caller has to probe."""
        self._link.breaker.is_probed_elsewhere = is_probed

    def get_pointer(self, task: str) -> KeptPointer | None:
        """Return what Redis has kept of a task's pointer, None where it has none of ours."""
        key, last = self._keys.pointer(task), redis_pointer.MAX_BYTES
        data = self._ask("read a pointer", key, lambda client: client.getrange(key, 0, last))
        kept = redis_pointer.parse(data)
        if data and kept is None:
            self._forget(key)
        self._count(is_hit=kept is not None)
        return kept

    def keep_pointer(self, task: str, kept: KeptPointer) -> None:
        """Keep a task's pointer for an hour; whoever reads it finds out whether it still is."""
        key, data = self._keys.pointer(task), kept.model_dump_json()
        self._ask("keep a pointer", key, lambda client: client.set(key, data, ex=POINTER_TTL_S))

    def announce(self, task: str) -> None:
        """Tell all who listen that a task's pointer has moved in the store."""
        channel = self._keys.channel
        self._ask("announce a publish", "", lambda client: client.publish(channel, task))

    def get_artifact(self, version: str) -> bytes | None:
        """Return the artifact's bytes, None where Redis does not have exactly those."""
        if not VERSION.fullmatch(version):
            return None
        key, last = self._keys.artifact(version), MAX_ARTIFACT_BYTES
        # one byte more than the limit: a huge value is never fetched whole
        data = self._ask("read an artifact", key, lambda c: c.getrange(key, 0, last))
        is_whole = isinstance(data, bytes) and version_of(data) == version
        if data and not is_whole:
            self._forget(key)
        self._count(is_hit=is_whole)
        return data if isinstance(data, bytes) and is_whole else None

    def put_artifact(self, version: str, data: bytes) -> None:
        """Store an artifact for a day, if it is small enough to be worth it."""
        key = self._keys.artifact(version)
        if len(data) <= MAX_ARTIFACT_BYTES:
            self._ask("keep an artifact", key, lambda c: c.set(key, data, ex=ARTIFACT_TTL_S))

    def holding(self, versions: Collection[str]) -> frozenset[str]:
        """Return those of the versions whose artifacts Redis says it has; asks once for all."""
        known = [version for version in versions if VERSION.fullmatch(version)]

        def look(client: Redis) -> list[object]:
            with client.pipeline(transaction=False) as pipeline:
                for version in known:
                    pipeline.exists(self._keys.artifact(version))
                return pipeline.execute()

        found = self._ask("look for artifacts", self._keys.artifact(""), look) if known else None
        pairs = zip(known, found or (), strict=False)
        return frozenset(version for version, is_held in pairs if is_held == 1)

    def answers(self) -> bool:
        """Return whether Redis answers; asks even one that is thought to be down."""
        if self.store_id is None:
            return False
        return self._link.probe("answer", "", lambda client: client.ping()) is True

    def announcements(self, moment_s: float) -> Generator[str | None, None, None]:
        """Yield None once connected, then each task that moved, and None for a moment of silence.

        Ends when Redis refuses to announce, the connection is lost, or the store is another one.
        """
        channel = self._keys.channel
        with closing(self._link.announcements(channel, moment_s)) as announcements:
            for task in announcements:
                if channel != self._keys.channel:
                    return
                yield task

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        self._link.close()

    @property
    def _keys(self) -> RedisKeys:
        return RedisKeys(self.store_id or "", self._link.database)

    def _ask(self, what: str, key: str, command: Callable[[Redis], _T]) -> _T | None:
        return None if self.store_id is None else self._link.ask(what, key, command)

    def _forget(self, key: str) -> None:
        if self.store_id is not None:
            self._link.forget(key)

    def _count(self, *, is_hit: bool) -> None:
        with self._lock:
            self._hits += is_hit
            self._misses += not is_hit
