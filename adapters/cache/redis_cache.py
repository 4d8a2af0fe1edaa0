"""Lookups in Redis: pointers and small artifacts, all of it disposable.

Deals in bytes and pointers, never in tensors. Nothing here raises: a Redis that is gone, slow,
foreign or hostile is a miss, and the store has the answer.
"""

import random
import threading
import time
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from typing import TypeVar

from redis import Redis

from adapters.artifact.codec import VERSION, version_of
from adapters.cache import redis_pointer
from adapters.cache.redis_keys import RedisKeys
from adapters.redis.address import client_for
from adapters.redis.announcements import Announcement
from adapters.redis.link import RedisLink
from adapters.store.directory import Pointer

_T = TypeVar("_T")

MAX_ARTIFACT_BYTES = 2_000_000
ARTIFACT_TTL_S = 24 * 3600
POINTER_TTL_S = 5.0
"""How long a pointer lives in Redis, give or take a fifth, if its publisher never reached Redis."""


@dataclass(frozen=True)
class CacheStats:
    """What became of the lookups so far; `errors` counts commands that failed."""

    hits: int = 0
    misses: int = 0
    errors: int = 0


class AdapterCache:
    """Pointers and artifacts of one store in one Redis; safe for many threads.

    Attributes:
        store_id: whose they are. While it is None nothing is asked or told, for the Redis may be
            another store's.
    """

    def __init__(
        self,
        client: Redis,
        *,
        retry_after_s: float = 1.0,
        pointer_ttl_s: float = POINTER_TTL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = RedisLink(client, retry_after_s=retry_after_s, clock=clock)
        self._pointer_ttl_s = pointer_ttl_s
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
        pointer_ttl_s: float = POINTER_TTL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> "AdapterCache":
        """Return a cache in the Redis at `url`; nothing is sent yet.

        Args:
            url: such as redis://127.0.0.1:6379/0; see adapters.redis.address.
            timeout_s: to connect, and for each answer; socket_timeout in the URL goes before it.
            retry_after_s: how long a Redis that failed is left alone.
            pointer_ttl_s: how long a pointer lives, give or take a fifth.
            clock: seconds that only grow.

        Raises:
            ValueError: `url` is not the address of a Redis.
        """
        client = client_for(url, timeout_s)
        return cls(client, retry_after_s=retry_after_s, pointer_ttl_s=pointer_ttl_s, clock=clock)

    @property
    def stats(self) -> CacheStats:
        """Hits, misses and errors so far."""
        return CacheStats(self._hits, self._misses, self._link.errors)

    @property
    def is_up(self) -> bool:
        """Whether the last command that was sent was answered."""
        return self._link.breaker.is_up

    def probe_elsewhere(self, is_probed: bool) -> None:
        """Say whether somebody asks for the epoch now and then, so that no caller has to probe."""
        self._link.breaker.is_probed_elsewhere = is_probed

    def get_pointer(self, task: str) -> Pointer | None:
        """Return the task's pointer, None where Redis has none that can be read."""
        key = self._keys.pointer(task)
        arguments = (redis_pointer.READ, 1, key, self._lifetime_ms(1.2))
        reply = self._ask("read a pointer", key, lambda client: client.eval(*arguments))
        pointer = redis_pointer.from_reply(reply)
        if pointer is None and reply:
            self._forget(key)
        self._count(is_hit=pointer is not None)
        return pointer

    def publish_pointer(self, task: str, pointer: Pointer) -> None:
        """Store and announce a pointer that the store has just got.

        If Redis has a newer one, neither is kept: the store knows which one is right.
        """
        self._move(task, pointer, is_publish=True)

    def set_pointer(self, task: str, pointer: Pointer) -> None:
        """Store a pointer that was read in the store, and announce it if Redis had another."""
        self._move(task, pointer, is_publish=False)

    def forget_pointer(self, task: str) -> None:
        """Drop the task's pointer, because it names what nobody has."""
        self._forget(self._keys.pointer(task))

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

    def epoch(self) -> int | None:
        """Return the number of the last announcement, None where Redis does not answer.

        Asks even a Redis that is thought to be down, and so ends the outage. 0 if nothing was
        announced since Redis was emptied.
        """
        if self.store_id is None:
            return None
        key = self._keys.epoch
        found = self._link.probe("tell the epoch", key, lambda c: c.getrange(key, 0, 18))
        if not isinstance(found, bytes):
            return None
        return int(found) if found.isdigit() else 0

    def announcements(self, moment_s: float) -> Generator[Announcement | None, None, None]:
        """Yield None once connected, then each announcement, and None for a moment of silence.

        Ends when Redis refuses to announce, or the connection is lost.
        """
        return self._link.announcements(self._keys.channel, moment_s)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        self._link.close()

    def _move(self, task: str, pointer: Pointer, *, is_publish: bool) -> None:
        key = self._keys.pointer(task)
        lifetimes = (self._lifetime_ms(1.2), self._lifetime_ms(random.uniform(0.8, 1.2)))
        rest = (*redis_pointer.to_fields(pointer), *lifetimes, str(int(is_publish)))
        keys = (key, self._keys.epoch)
        arguments = (redis_pointer.MOVE, 2, *keys, *rest, self._keys.channel, task)
        self._ask("move a pointer", key, lambda client: client.eval(*arguments))

    @property
    def _keys(self) -> RedisKeys:
        return RedisKeys(self.store_id or "", self._link.database)

    def _ask(self, what: str, key: str, command: Callable[[Redis], _T]) -> _T | None:
        return None if self.store_id is None else self._link.ask(what, key, command)

    def _forget(self, key: str) -> None:
        if self.store_id is not None:
            self._link.forget(key)

    def _lifetime_ms(self, share: float) -> str:
        return str(int(self._pointer_ttl_s * 1000 * share))

    def _count(self, *, is_hit: bool) -> None:
        with self._lock:
            self._hits += is_hit
            self._misses += not is_hit
