"""Commands to one Redis that never raise and never keep a caller waiting for long.

Knows what can go wrong with Redis, and nothing of what is kept in it.
"""

import logging
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

from redis import Redis
from redis.exceptions import AuthenticationError, ResponseError

from adapters.redis.address import reason
from adapters.redis.announcements import listen
from adapters.redis.breaker import Breaker

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_UNAUTHENTICATED = "unauthenticated"
"""What Redis says of a long command without a login, where a short one gets NOAUTH."""


class RedisLink:
    """A client behind a breaker; safe for many threads.

    What goes wrong is logged once when it begins and once when it ends.

    Args:
        client: with short timeouts and without retries.
        retry_after_s: how long a Redis that failed is left alone.
        clock: seconds that only grow.

    Attributes:
        breaker: says whether Redis is asked at all.
        errors: how many commands failed or were refused.
    """

    def __init__(
        self,
        client: Redis,
        *,
        retry_after_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.breaker = Breaker(retry_after_s, clock)
        self.errors = 0
        self._client = client
        self._refusals: dict[str, str] = {}
        self._lock = threading.Lock()

    def ask(self, what: str, key: str, command: Callable[[Redis], _T]) -> _T | None:
        """Return what a command answers, None without one; sends nothing while Redis is down.

        Args:
            what: the command does, for the log: "read a pointer".
            key: that it is about; forgotten if it has a type that the command does not take.
            command: sends one command.
        """
        return self.probe(what, key, command) if self.breaker.lets_through() else None

    def probe(self, what: str, key: str, command: Callable[[Redis], _T]) -> _T | None:
        """Do what `ask` does even while Redis is down, so that an answer ends the outage."""
        try:
            answer = command(self._client)
        except ResponseError as error:
            if _UNAUTHENTICATED in str(error):
                self._failed(error)
                return None
            self.breaker.answered()
            if str(error).startswith("WRONGTYPE"):
                self._count_error()
                self.forget(key)
            else:
                self._refused(what, error)
            return None
        except Exception as error:  # redis-py lets a hostile answer raise anything
            self._failed(error)
            return None
        self.breaker.answered()
        self._agreed(what)
        return answer

    def forget(self, key: str) -> None:
        """Delete a key."""
        self.ask("forget a key", key, lambda client: client.unlink(key))

    @property
    def database(self) -> int:
        """The number of the database that it asks; channels know of none."""
        return int(self._client.connection_pool.connection_kwargs.get("db") or 0)

    def announcements(self, channel: str, moment_s: float) -> Generator[str | None, None, None]:
        """Yield what `listen` does; ends when Redis refuses to announce or the connection ends."""
        what = "announce publishes"
        try:
            with closing(listen(self._client.connection_pool, channel, moment_s)) as announcements:
                for news in announcements:
                    self._agreed(what)
                    yield news
        except Exception as error:  # redis-py lets a hostile answer raise anything
            self._refused(what, error)

    def close(self) -> None:
        """Close the connections; a later command opens new ones."""
        self._client.close()

    def _failed(self, error: Exception) -> None:
        """Open the breaker, and let go of connections that may be as dead as this one."""
        self._count_error()
        self._client.connection_pool.disconnect(inuse_connections=False)
        is_locked_out = isinstance(error, AuthenticationError) or _UNAUTHENTICATED in str(error)
        trouble = "Redis refuses the user or password of REDIS_URL"
        self.breaker.failed(
            trouble if is_locked_out else "Redis is down", reason(error, self._client)
        )

    def _refused(self, what: str, error: Exception) -> None:
        """Log what Redis answers but does not do, once for each kind of reason."""
        self._count_error()
        kind = type(error).__name__
        with self._lock:
            is_new = self._refusals.get(what) != kind
            self._refusals[what] = kind
        if is_new:
            _log.warning("Redis cannot %s (%s); going on", what, reason(error, self._client))

    def _agreed(self, what: str) -> None:
        if what not in self._refusals:
            return
        with self._lock:
            was_refused = self._refusals.pop(what, None) is not None
        if was_refused:
            _log.warning("Redis can %s again", what)

    def _count_error(self) -> None:
        with self._lock:
            self.errors += 1
