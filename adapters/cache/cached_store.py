"""The store behind two layers of memory: this process's pointers, then Redis.

What trainer and server use. How old may an answer be, give or take a fifth?

- This process watches Redis: milliseconds; twice `CHECK_EVERY_S` if an announcement is lost.
- It does not watch, or there is no Redis, or Redis is down: `pointer_ttl_s`.
- Redis is up and the publisher did not reach it: Redis' pointer lives `POINTER_TTL_S`, and then
  this process's `pointer_ttl_s`, or `WATCHED_TTL_S` while it watches.
- Either way, a process that watches looks half of its time earlier, in a thread.
- Neither Redis nor the store answers, or the store hangs: as old as need be, if it is known.

The store is the truth. Redis' pointer is taken if it is newer than the last one known here, if any
is, and names only versions that the store holds. An older one, or another one with the same number
(a store that was restored from a backup counts again from there), is never taken: the store
decides, and Redis is told. Until the store has said which one it is, Redis is not asked, for it may
be another store's. Knows nothing of tensors.
"""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from adapters.artifact.codec import VERSION, decode_meta, version_of
from adapters.artifact.meta import AdapterMeta
from adapters.artifact.task import check_task_id
from adapters.cache.places import Places
from adapters.cache.pointer_memory import LookUp, PointerMemory
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.store_calls import LIMIT_S, StoreCalls
from adapters.cache.watcher import Watcher
from adapters.errors import StoreUnavailable, TaskNotFound
from adapters.store.directory import DirectoryStore, Expecting, Pointer
from adapters.store.log import ANY_CHANGE, Change
from adapters.trust.envelope import Envelope

WATCHED_TTL_S = 5.0
"""How long this process trusts a pointer whose next move it will hear of."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class CachedStore:
    """A DirectoryStore that answers fast and outlives its Redis; safe for many threads.

    Args:
        store: the truth.
        cache: Redis, None for none.
        artifacts_in_redis: keep artifacts there, too. A local store is faster; one on a network may
            not be.
        pointer_ttl_s: how long this process trusts a pointer of which it hears nothing, or the
            absence of one, give or take a fifth.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        store: DirectoryStore,
        cache: AdapterCache | None = None,
        *,
        artifacts_in_redis: bool = False,
        pointer_ttl_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.cache = cache
        self._pointer_ttl_s = pointer_ttl_s
        self._clock = clock
        self._places = Places(store, cache, artifacts_in_redis=artifacts_in_redis, clock=clock)
        self._memory = PointerMemory(clock, LIMIT_S)
        self._watcher: Watcher | None = None
        self._calls: StoreCalls | None = None

    @property
    def hears_publishes(self) -> bool:
        """Whether a publish that reaches Redis is known here at once."""
        cache, watcher = self.cache, self._watcher
        return cache is not None and cache.is_up and watcher is not None and watcher.is_hearing

    def watch(self) -> None:
        """Hear of publishes in a thread, until `close`, and keep callers from waiting.

        For processes that run long: from now on no call waits for a Redis that is down. Pointers
        that are asked for are renewed by threads before they are old, and one that is known waits
        for its renewal for a moment at most, however long the store takes.
        """
        if self._calls is None:
            self._calls = self._places.calls = StoreCalls(self._clock)
        self._places.learn_store()
        if self.cache is not None and self._watcher is None:
            self._watcher = Watcher(self.cache, self._memory.expire, self._memory.expire_all)
            self._watcher.start()

    def close(self) -> None:
        """Stop watching and close the connections to Redis; a later call opens new ones."""
        watcher, self._watcher = self._watcher, None
        calls, self._calls = self._calls, None
        self._places.calls = None
        if watcher is not None:
            watcher.close()
        if calls is not None:
            calls.close()
        if self.cache is not None:
            self.cache.close()

    def current(self, task: str) -> Pointer:
        """Return which version of a task is current, or was when it could last be learned.

        Raises:
            TaskNotFound: nothing is published under this id.
            StoreUnavailable, ArtifactCorrupt: the pointer cannot be read, and was never known.
        """
        pointer, calls = self._memory.fresh(task), self._calls
        if pointer is None:
            _check_id(task)
            return self._look_up(task) if calls is None else self._soon(task, calls)
        if calls is not None and self._memory.should_be_renewed(task):
            self._begin(task, calls, renew=True)
        return pointer

    def read(self, task: str, version: str) -> bytes:
        """Return the bytes of one version from the store, or from Redis if it keeps artifacts.

        Args:
            task: its id.
            version: all 64 hex digits.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            ArtifactCorrupt: the store's file is damaged.
            StoreUnavailable: the store cannot be read, and Redis does not have it.
        """
        return self._places.read(task, version)

    def envelope(self, task: str, version: str) -> bytes | None:
        """Return the signatures next to one version, unchecked; None if it has none.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            StoreUnavailable: the store cannot be read, or hangs.
        """
        return self._places.envelope(task, version)

    def describe(self, task: str, version: str) -> AdapterMeta:
        """Return what one version in the store says of itself; errors are the store's."""
        return self.store.describe(task, version)[0]

    def publish(
        self,
        data: bytes,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        canary: float | None = None,
        change: Change = ANY_CHANGE,
        envelope: Envelope | None = None,
    ) -> Pointer:
        """Publish to the store, then tell Redis; arguments and errors are the store's."""
        pointer = self.store.publish(
            data, expected=expected, canary=canary, change=change, envelope=envelope
        )
        self._announce(decode_meta(data).task.id, pointer)
        self._places.keep_artifact(version_of(data), data)
        return pointer

    def rollback(
        self,
        task: str,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        change: Change = ANY_CHANGE,
    ) -> Pointer:
        """Roll back in the store, then tell Redis; arguments and errors are the store's."""
        return self._announce(task, self.store.rollback(task, expected=expected, change=change))

    def end_canary(
        self,
        task: str,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        change: Change = ANY_CHANGE,
    ) -> Pointer:
        """End the canary in the store, then tell Redis; arguments and errors are the store's."""
        return self._announce(task, self.store.end_canary(task, expected=expected, change=change))

    def promote(
        self,
        task: str,
        version: str | None = None,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        change: Change = ANY_CHANGE,
    ) -> Pointer:
        """Promote in the store, then tell Redis; arguments and errors are the store's."""
        pointer = self.store.promote(task, version, expected=expected, change=change)
        return self._announce(task, pointer)

    def tasks(self) -> list[str]:
        """Return the ids of all published tasks, sorted; asks the store."""
        return self.store.tasks()

    def resolve_version(self, task: str, text: str) -> str:
        """Return the version that `text` stands for; asks the store unless it is current here."""
        last = self._memory.last(task)
        if last is not None and text in last.answering:
            return text
        ask = _at_once if self._calls is None else self._calls.ask
        if VERSION.fullmatch(text):
            try:
                if ask(lambda: self.store.holds(task, text)):
                    return text
            except StoreUnavailable:
                return text  # it may be on the device; if not, reading it says what is wrong
        return ask(lambda: self.store.resolve_version(task, text))

    def _soon(self, task: str, calls: StoreCalls) -> Pointer:
        """Return the task's pointer, or what was last known of it if that takes a moment."""
        last = self._memory.last(task)
        look_up = self._begin(task, calls)
        try:
            return calls.wait(look_up.pointer, is_known=last is not None)
        except StoreUnavailable as error:
            if last is None:
                raise
            _log.debug("%s: going on with what is known: %s", task, error)
            return last

    def _begin(self, task: str, calls: StoreCalls, *, renew: bool = False) -> LookUp:
        """Have a thread look a task up, unless one does."""
        look_up = self._memory.begin(task, renew=renew)
        if look_up.is_mine:
            calls.submit(lambda: self._end(look_up))
        return look_up

    def _look_up(self, task: str) -> Pointer:
        """Find a task's pointer and remember it, or wait for the thread that is finding it."""
        look_up = self._memory.begin(task)
        if look_up.is_mine:
            self._end(look_up)
        return look_up.pointer.result()

    def _end(self, look_up: LookUp) -> None:
        try:
            pointer = self._places.pointer(look_up.task, self._memory.last(look_up.task))
        except BaseException as error:  # of any kind: the others must not wait for ever
            self._memory.give_up(look_up, error, self._absence_s())
        else:
            self._memory.learn(look_up, pointer, self._lifetime_s())

    def _announce(self, task: str, pointer: Pointer) -> Pointer:
        self._places.learn_store()
        if self.cache is not None:
            self.cache.publish_pointer(task, pointer)
        self._memory.expire(task, newest=pointer)
        return pointer

    def _lifetime_s(self) -> float:
        """Return how long a pointer learned now is trusted."""
        ttl = WATCHED_TTL_S if self.hears_publishes else self._pointer_ttl_s
        return ttl * random.uniform(0.8, 1.2)

    def _absence_s(self) -> float:
        return self._pointer_ttl_s * random.uniform(0.8, 1.2)


def _at_once(call: Callable[[], _T]) -> _T:
    return call()


def _check_id(task: str) -> None:
    try:
        check_task_id(task)
    except ValueError as error:
        raise TaskNotFound(str(error)) from error
