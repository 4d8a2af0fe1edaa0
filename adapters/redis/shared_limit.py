"""How much one name may still do, counted in Redis for all processes together.

One number per name: the moment at which its bucket would be full again (the generic cell rate
algorithm). It lies at most `burst / rate` seconds ahead, and its key expires when it is past, so
Redis holds nothing of those who ask little. Redis' own clock counts. Nothing here raises, and
a Redis that is gone costs its caller one timeout: a thread asks whether it is back.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from redis import Redis
from redis.exceptions import ResponseError

from adapters.redis.address import client_for, reason

_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local grants = {}
for i, key in ipairs(KEYS) do
    local interval = 1000000 / ARGV[3 * i - 2]
    local burst, asked = ARGV[3 * i - 1] + 0, ARGV[3 * i] + 0
    -- a key of another type, or a number that is past or none, is a full bucket
    local held = redis.pcall('GET', key)
    local full_at = type(held) == 'string' and tonumber(held) or now
    if not (full_at >= now) then full_at = now end
    -- no emptier than empty: the burst may have been lowered since
    full_at = math.min(full_at, now + burst * interval)
    local granted = math.max(0, math.min(asked, math.floor(burst - (full_at - now) / interval)))
    if granted > 0 then
        full_at = full_at + granted * interval
        local lifetime_ms = math.ceil((full_at - now) / 1000) + 1
        -- as an integer: Lua itself would write so large a number with an exponent
        redis.call('SET', key, string.format('%.0f', full_at), 'PX', lifetime_ms)
    end
    local wait = granted < asked and math.max(0, full_at - now - (burst - 1) * interval) or 0
    grants[i] = {granted, math.ceil(wait)}
end
return grants
"""
_PREFIX: Final = "spt:{rate}:"
"""The same hash tag in all keys: in a Cluster, too, one command reaches them all."""

_log = logging.getLogger(__name__)


class Want(NamedTuple):
    """What is asked of one bucket.

    Attributes:
        name: whose bucket.
        rate: how many flow in each second, above 0.
        burst: how many the bucket holds, at least 1; a new one is full.
        asked: how many are wanted, at least 1.
    """

    name: str
    rate: float
    burst: int
    asked: int


class Grant(NamedTuple):
    """What was granted of what was asked, and after how many seconds one more will be."""

    granted: int
    wait_s: float


class SharedLimit:
    """Buckets in one Redis; safe for many threads.

    Args:
        client: with short timeouts.
        retry_after_s: how often a Redis that failed is asked whether it is back.
    """

    def __init__(self, client: Redis, *, retry_after_s: float = 1.0) -> None:
        self._client = client
        self._retry_after_s = retry_after_s
        self._is_up = True
        self._refused = False
        self._lock = threading.Lock()
        self._closed = threading.Event()

    @classmethod
    def from_url(
        cls, url: str, *, timeout_s: float = 0.05, retry_after_s: float = 1.0
    ) -> "SharedLimit":
        """Return the buckets in the Redis at `url`; nothing is sent yet.

        Args:
            url: as REDIS_URL has it.
            timeout_s: to connect, and for each answer.
            retry_after_s: how often a Redis that failed is asked whether it is back.

        Raises:
            ValueError: `url` is not the address of a Redis.
        """
        return cls(client_for(url, timeout_s), retry_after_s=retry_after_s)

    @property
    def is_up(self) -> bool:
        """Whether Redis is asked at all."""
        return self._is_up

    def take(self, wants: Sequence[Want]) -> dict[str, Grant]:
        """Take up to what is wanted from each bucket, all by one command.

        Args:
            wants: at most one for each name.

        Returns:
            What was granted, by name; of no name where Redis cannot say.
        """
        if not self._is_up or not wants:
            return {}
        keys = [f"{_PREFIX}{want.name}" for want in wants]
        numbers = [number for want in wants for number in want[1:]]
        try:
            answer: Any = self._client.eval(_TAKE, len(keys), *keys, *numbers)
        except ResponseError as error:
            self._note_refusal(error)
            return {}
        except Exception as error:  # redis-py lets a hostile answer raise anything
            self._failed(error)
            return {}
        if not isinstance(answer, list) or len(answer) != len(wants):
            return {}
        grants = {want.name: _grant(want, one) for want, one in zip(wants, answer, strict=True)}
        if None not in grants.values():
            self._note_refusal(None)
        return {name: grant for name, grant in grants.items() if grant is not None}

    def close(self) -> None:
        """Let the connections and the asking thread go."""
        self._closed.set()
        self._client.close()

    def _note_refusal(self, error: ResponseError | None) -> None:
        """Log that Redis answers with errors, once each time: full, read-only, not permitted."""
        with self._lock:
            had_refused, self._refused = self._refused, error is not None
        if error is not None and not had_refused:
            why = reason(error, self._client)
            _log.warning("Redis refuses to count (%s); each process limits on its own", why)

    def _failed(self, error: Exception) -> None:
        with self._lock:
            was_up, self._is_up = self._is_up, False
        if was_up:
            why = reason(error, self._client)
            _log.warning("Redis is down (%s); each process limits on its own", why)
            threading.Thread(target=self._wait_until_back, name="rate", daemon=True).start()

    def _wait_until_back(self) -> None:
        while not self._closed.wait(self._retry_after_s):
            try:
                self._client.ping()
            except Exception:
                continue
            self._is_up = True
            _log.warning("Redis is up again; limits are shared again")
            return


def _grant(want: Want, answer: object) -> Grant | None:
    match answer:
        case [int(granted), int(wait_us)] if 0 <= granted <= want.asked and wait_us >= 0:
            return Grant(granted, wait_us / 1e6)
    return None
