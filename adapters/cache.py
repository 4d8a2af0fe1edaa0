"""Lookups in Redis: pointers and small artifacts, all of it disposable.

The only module that knows Redis. Deals in bytes and pointers, never in tensors. Nothing here
raises: a Redis that is gone, slow, foreign or hostile is a miss, and the store has the answer.
"""

import logging
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from adapters.codec import VERSION, version_of
from adapters.store import Pointer

CHANNEL = "spt:published"
"""Where the id of a task is announced when its pointer moves; a hint that may be lost."""

MAX_ARTIFACT_BYTES = 2_000_000
ARTIFACT_TTL_S = 24 * 3600
POINTER_TTL_S = 5.0
"""Longest time that an old pointer lives on when the news of a publish does not reach Redis."""

_SEQUENCE = re.compile(rb"[1-9][0-9]{0,14}")
_SET_POINTER = """
local held = redis.pcall('HGET', KEYS[1], 'sequence')
if type(held) == 'table' then
    redis.call('DEL', KEYS[1])
    held = false
end
if (tonumber(held or 0) or 0) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'sequence', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if held ~= ARGV[2] then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1
"""
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True)
class CacheStats:
    """What became of the lookups so far; `errors` counts commands that failed."""

    hits: int = 0
    misses: int = 0
    errors: int = 0


class AdapterCache:
    """Pointers and artifacts in one Redis; safe for many threads."""

    def __init__(
        self,
        client: Redis,
        *,
        retry_after_s: float = 1.0,
        pointer_ttl_s: float = POINTER_TTL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._breaker = _Breaker(retry_after_s, clock)
        self._pointer_ttl_s = pointer_ttl_s
        self._stats = CacheStats()
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
            url: such as redis://127.0.0.1:6379/0, or rediss:// or unix://.
            timeout_s: to connect, and for each answer.
            retry_after_s: how long a Redis that failed is left alone.
            pointer_ttl_s: how long a pointer lives, give or take a fifth.
            clock: seconds that only grow.

        Raises:
            ValueError: `url` is not the address of a Redis.
        """
        # redis-py's own defaults retry ten times and stall every caller for seconds
        client = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            protocol=2,
            driver_info=None,
        )
        return cls(client, retry_after_s=retry_after_s, pointer_ttl_s=pointer_ttl_s, clock=clock)

    @property
    def stats(self) -> CacheStats:
        """Hits, misses and errors so far."""
        return self._stats

    @property
    def is_up(self) -> bool:
        """Whether the last command that was sent was answered."""
        return self._breaker.is_up

    def get_pointer(self, task: str) -> Pointer | None:
        """Return the task's pointer, None where Redis has none that can be read."""
        key = _pointer_key(task)
        fields = self._ask(key, lambda: self._client.hmget(key, ["version", "sequence"]))
        pointer = _parse_pointer(fields)
        if pointer is None and isinstance(fields, list) and any(fields):
            self._forget(key)
        self._count("misses" if pointer is None else "hits")
        return pointer

    def set_pointer(self, task: str, pointer: Pointer) -> None:
        """Store and announce a pointer, unless Redis has a newer one of this task."""
        key = _pointer_key(task)
        lifetime_ms = int(self._pointer_ttl_s * 1000 * random.uniform(0.8, 1.2))
        arguments = [pointer.version, str(pointer.sequence), str(lifetime_ms), CHANNEL, task]
        self._ask(key, lambda: self._client.eval(_SET_POINTER, 1, key, *arguments))

    def forget_pointer(self, task: str) -> None:
        """Drop the task's pointer, because it names what nobody has."""
        self._forget(_pointer_key(task))

    def get_artifact(self, version: str) -> bytes | None:
        """Return the artifact's bytes, None where Redis does not have exactly those."""
        if not VERSION.fullmatch(version):
            return None
        key = _artifact_key(version)
        # one byte more than the limit: a huge value is never fetched whole
        data = self._ask(key, lambda: self._client.getrange(key, 0, MAX_ARTIFACT_BYTES))
        if isinstance(data, bytes) and version_of(data) == version:
            self._count("hits")
            return data
        if data:
            self._forget(key)
        self._count("misses")
        return None

    def put_artifact(self, version: str, data: bytes) -> None:
        """Store an artifact for a day, if it is small enough to be worth it."""
        key = _artifact_key(version)
        if len(data) <= MAX_ARTIFACT_BYTES:
            self._ask(key, lambda: self._client.set(key, data, ex=ARTIFACT_TTL_S))

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        self._client.close()

    def _forget(self, key: str) -> None:
        self._ask(key, lambda: self._client.unlink(key))

    def _ask(self, key: str, command: Callable[[], _T]) -> _T | None:
        """Send one command about `key`, if Redis is thought to be up."""
        if not self._breaker.lets_through():
            return None
        try:
            answer = command()
        except ResponseError as error:
            self._answered_with_error(key, error)
            return None
        except (RedisError, OSError, ValueError) as error:
            self._count("errors")
            self._breaker.failed(error)
            return None
        self._breaker.answered()
        return answer

    def _answered_with_error(self, key: str, error: ResponseError) -> None:
        self._count("errors")
        self._breaker.answered()
        if str(error).startswith("WRONGTYPE"):
            self._forget(key)

    def _count(self, what: str) -> None:
        with self._lock:
            self._stats = replace(self._stats, **{what: getattr(self._stats, what) + 1})


class _Breaker:
    """Keeps a dead Redis out of the request path; lets one probe through now and then."""

    def __init__(self, retry_after_s: float, clock: Callable[[], float]) -> None:
        self.is_up = True
        self._retry_after_s = retry_after_s
        self._clock = clock
        self._retry_at = 0.0
        self._lock = threading.Lock()

    def lets_through(self) -> bool:
        if self.is_up:
            return True
        with self._lock:
            if self._clock() < self._retry_at:
                return False
            self._retry_at = self._clock() + self._retry_after_s
            return True

    def failed(self, error: Exception) -> None:
        with self._lock:
            was_up, self.is_up = self.is_up, False
            self._retry_at = self._clock() + self._retry_after_s
        if was_up:
            reason = f"{type(error).__name__}: {error}"
            _log.warning("Redis is down (%s); going on from the store", reason)

    def answered(self) -> None:
        if self.is_up:
            return
        with self._lock:
            was_up, self.is_up = self.is_up, True
        if not was_up:
            _log.warning("Redis is up again")


def _pointer_key(task: str) -> str:
    return f"spt:pointer:{task}"


def _artifact_key(version: str) -> str:
    return f"spt:artifact:{version}"


def _parse_pointer(fields: object) -> Pointer | None:
    match fields:
        case [bytes(version), bytes(sequence)] if _SEQUENCE.fullmatch(sequence):
            text = version.decode("ascii", "replace")
            is_version = VERSION.fullmatch(text) is not None
            return Pointer(version=text, sequence=int(sequence)) if is_version else None
    return None
