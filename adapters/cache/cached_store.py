"""The store behind this process's memory of its pointers, and the Redis that tells of publishes.

What trainer and server use. How old may an answer be?

- This process watches, and a publisher announces through Redis what it has moved: milliseconds.
- It watches, without Redis, or the announcement is lost: until the next look at the store's feed,
  `LOOK_EVERY_S` at most.
- It does not watch, or there is no feed: `pointer_ttl_s`, give or take a fifth. One that watches
  looks half of its time earlier, in a thread.
- The feed cannot be read: `TRUST_S`, and then the same.
- It has missed moves, for the feed is another one or does not reach back: `SPREAD_S`.
- The store does not answer, or hangs: as old as need be, if it is known.

The store is the truth. A task that this process does not know is looked up in Redis first, whose
pointer is taken if the feed says that it still is the task's, or while the store does not answer.
Until the store has said which one it is, Redis is not asked, for it may be another store's. Knows
nothing of tensors.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from adapters.artifact.codec import VERSION, decode_meta, version_of
from adapters.artifact.meta import AdapterMeta
from adapters.artifact.task import check_task_id, is_task_id
from adapters.cache.follower import Follower
from adapters.cache.held_versions import HeldVersions
from adapters.cache.jitter import jittered
from adapters.cache.places import Places
from adapters.cache.pointer_memory import LookUp, PointerMemory
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.store_calls import LIMIT_S, LONG_S, StoreCalls
from adapters.cache.watcher import Watcher
from adapters.errors import StoreUnavailable, TaskNotFound
from adapters.store.directory import Expecting, Pointer, Store
from adapters.store.feed import Feed
from adapters.store.log import ANY_CHANGE, Change
from adapters.trust.envelope import Envelope

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class CachedStore:
    """A Store that answers fast; safe for many threads.

    Args:
        store: the truth.
        cache: Redis, None for none.
        artifacts_in_redis: keep artifacts there, too. A local store is faster; one on a network may
            not be.
        pointer_ttl_s: how long this process trusts a pointer whose moves it does not follow, or the
            absence of one, give or take a fifth.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        store: Store,
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
        self._held = HeldVersions(self._places.holds, self._lifetime_s, clock)
        self._watcher: Watcher | None = None
        self._follower: Follower | None = None
        self._calls: StoreCalls | None = None

    @property
    def hears_publishes(self) -> bool:
        """Whether a publish that reaches Redis is known here at once."""
        cache, watcher = self.cache, self._watcher
        return cache is not None and cache.is_up and watcher is not None and watcher.is_hearing

    @property
    def store_is_up(self) -> bool:
        """Whether the store answers; known within a second in a process that watches."""
        return self._calls is None or self._calls.is_up

    @property
    def follows_store(self) -> bool:
        """Whether every move in the store is known here within `LOOK_EVERY_S`, with its feed."""
        return self._follower is not None and self._memory.is_followed

    def feed(self) -> Feed | None:
        """Return what is known of the store's moves, None where they are not followed."""
        follower = self._follower
        return follower.feed if follower is not None and self._memory.is_followed else None

    def watch(self) -> None:
        """Follow the store and hear of publishes in threads, until `close`; let no caller wait.

        For processes that run long: from now on no call waits for a Redis that is down, and one
        that asks for a task that is known waits for its look-up for a moment at most, however long
        the store takes. One that hangs already is waited for as long as any call, `LIMIT_S`.
        """
        if self._calls is None:
            self._calls = self._places.calls = StoreCalls(self._clock)
        if self._follower is None:
            self._follower = Follower(self.store.feed, self._memory, self._calls, self._clock)
            self._follower.start()
        with suppress(StoreUnavailable):  # one that hangs is learned of when it answers
            self._places.ask(self._places.learn_store)
        if self.cache is not None and self._watcher is None:
            self._watcher = Watcher(self.cache, self._memory.expire)
            self._watcher.start()

    def close(self) -> None:
        """Stop watching and close the connections to Redis; a later call opens new ones."""
        watcher, self._watcher = self._watcher, None
        follower, self._follower = self._follower, None
        calls, self._calls = self._calls, None
        self._places.calls = None
        for one in (watcher, follower, calls):
            if one is not None:
                one.close()
        self._memory.begin_anew()
        if self.cache is not None:
            self.cache.close()

    def begin_to_look_up(self, tasks: Iterable[str]) -> set[str]:
        """Look up several tasks side by side, so that whoever asks for them waits once.

        What becomes of it, `current` tells. Returns those that are being looked up now.
        """
        begun = set[str]()
        if self._calls is None:
            return begun
        for task in tasks:
            with suppress(TaskNotFound):
                if is_task_id(task) and self._memory.fresh(task) is None:
                    self._begin(task, self._calls)
                    begun.add(task)
        return begun

    def current(self, task: str, patience_s: float | None = None) -> Pointer:
        """Return which version of a task is current, or was when it could last be learned.

        Args:
            task: its id.
            patience_s: longest wait for a task of which nothing is known, in a process that
                watches; `LIMIT_S` by default.

        Raises:
            TaskNotFound: nothing is published under this id.
            StoreUnavailable, ArtifactCorrupt: the pointer cannot be read, and was never known.
        """
        pointer, calls = self._memory.fresh(task), self._calls
        if pointer is None:
            _check_id(task)
            return self._look_up(task) if calls is None else self._soon(task, calls, patience_s)
        if calls is not None and self._memory.should_be_renewed(task):
            self._begin(task, calls, renew=True)
        return pointer

    def last_known(self, task: str) -> Pointer | None:
        """Return what is known of a task's pointer, however old; asks nobody."""
        return self._memory.last(task)

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
        return self.ask_store(lambda store: store.describe(task, version))[0]

    def publish(
        self,
        data: bytes,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        canary: float | None = None,
        shadow: float | None = None,
        change: Change = ANY_CHANGE,
        envelope: Envelope | None = None,
    ) -> Pointer:
        """Publish to the store, then announce it; arguments and errors are the store's."""
        pointer = self.store.publish(
            data,
            expected=expected,
            canary=canary,
            shadow=shadow,
            change=change,
            envelope=envelope,
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
        """Roll back in the store, then announce it; arguments and errors are the store's."""
        return self._announce(task, self.store.rollback(task, expected=expected, change=change))

    def end_canary(
        self,
        task: str,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        change: Change = ANY_CHANGE,
    ) -> Pointer:
        """End the canary in the store, then announce it; arguments and errors are the store's."""
        return self._announce(task, self.store.end_canary(task, expected=expected, change=change))

    def end_shadow(
        self,
        task: str,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        change: Change = ANY_CHANGE,
    ) -> Pointer:
        """End the shadow in the store, then announce it; arguments and errors are the store's."""
        return self._announce(task, self.store.end_shadow(task, expected=expected, change=change))

    def promote(
        self,
        task: str,
        version: str | None = None,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        change: Change = ANY_CHANGE,
    ) -> Pointer:
        """Promote in the store, then announce it; arguments and errors are the store's."""
        pointer = self.store.promote(task, version, expected=expected, change=change)
        return self._announce(task, pointer)

    def tasks(self, patience_s: float | None = None) -> list[str]:
        """Return the ids of all published tasks, sorted; asks the store, as `ask_store`."""
        return self._places.ask(self.store.tasks, limit_s=LONG_S, patience_s=patience_s)

    def ask_store(self, question: Callable[[Store], _T]) -> _T:
        """Return what the store itself says; a process that watches waits `LIMIT_S` at most.

        Args:
            question: what it is asked.

        Raises:
            SptError: as the store; StoreUnavailable, too, if it hangs.
        """
        return self._places.ask(lambda: question(self.store))

    def resolve_version(self, task: str, text: str, patience_s: float | None = None) -> str:
        """Return the version that `text` stands for; asks the store unless it is current here.

        `patience_s` is as in `current`.
        """
        if self._runs(task, text):
            return text
        if VERSION.fullmatch(text):
            try:
                if self._places.ask(lambda: self._places.holds(task, text), patience_s=patience_s):
                    return text
            except StoreUnavailable:
                return text  # it may be on the device; if not, reading it says what is wrong
        return self._places.ask(
            lambda: self._places.resolve_version(task, text), patience_s=patience_s
        )

    def still_holds(self, task: str, version: str) -> bool:
        """Return whether a version that was read here is still in the store; True while it is away.

        Known for `pointer_ttl_s`; who asks then waits for a moment at most.
        """
        return self._runs(task, version) or self._held.has(task, version, self._calls)

    def _runs(self, task: str, version: str) -> bool:
        """Return whether a version is named by a pointer that is trusted now."""
        pointer = self._memory.fresh(task)
        return pointer is not None and version in pointer.running

    def _soon(self, task: str, calls: StoreCalls, patience_s: float | None) -> Pointer:
        """Return the task's pointer, or what was last known of it if that takes a moment."""
        last = self._memory.last(task)
        look_up = self._begin(task, calls)
        try:
            return calls.wait(look_up.pointer, is_known=last is not None, patience_s=patience_s)
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
        self._memory.begun(look_up)
        try:
            last = self._memory.last(look_up.task)
            found = self._places.find(look_up.task, last, self.feed())
        except BaseException as error:  # of any kind: the others must not wait for ever
            self._memory.give_up(look_up, error, self._lifetime_s())
        else:
            self._memory.learn(
                look_up, found.pointer, self._lifetime_s(), is_certain=found.is_certain
            )

    def _announce(self, task: str, pointer: Pointer) -> Pointer:
        self._places.learn_store()
        self._places.keep_pointer(task, pointer)
        if self.cache is not None:
            self.cache.announce(task)
        self._memory.expire(task, newest=pointer)
        return pointer

    def _lifetime_s(self) -> float:
        return jittered(self._pointer_ttl_s)


def _check_id(task: str) -> None:
    try:
        check_task_id(task)
    except ValueError as error:
        raise TaskNotFound(str(error)) from error
