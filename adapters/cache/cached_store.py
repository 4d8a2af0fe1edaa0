"""The store behind two layers of memory: this process's pointers, then Redis.

What trainer and server use. How old may an answer be, give or take a fifth?

- This process watches Redis: milliseconds; twice `CHECK_EVERY_S` if an announcement is lost.
- It does not watch, or there is no Redis, or Redis is down: `pointer_ttl_s`.
- Redis is up and the publisher did not reach it: Redis' pointer lives `POINTER_TTL_S`, and then
  this process's `pointer_ttl_s`, or `WATCHED_TTL_S` while it watches.
- Either way, a process that watches looks half of its time earlier, in a thread.
- Neither Redis nor the store answers: as old as need be, if it is known at all.

The store is the truth. Redis' pointer is taken if it is newer than the last one known here, if any
is, and names only versions that the store holds. An older one, or another one with the same number
(a store that was restored from a backup counts again from there), is never taken: the store
decides, and Redis is told. Until the store has said which one it is, Redis is not asked, for it may
be another store's. Knows nothing of tensors.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from adapters.artifact.codec import decode_meta, version_of
from adapters.artifact.task import check_task_id
from adapters.cache.pointer_memory import PointerMemory
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.watcher import Watcher
from adapters.errors import ArtifactCorrupt, StoreUnavailable, TaskNotFound
from adapters.store.directory import DirectoryStore, Expecting, Pointer

WATCHED_TTL_S = 5.0
"""How long this process trusts a pointer whose next move it will hear of."""

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
        self._artifacts = cache if artifacts_in_redis else None
        self._pointer_ttl_s = pointer_ttl_s
        self._clock = clock
        self._store_id: str | None = None
        self._learn_again_at = 0.0
        self._had_tasks = False
        self._memory = PointerMemory(clock)
        self._watcher: Watcher | None = None
        self._renewals: ThreadPoolExecutor | None = None
        self._store_failed = False
        self._lock = threading.Lock()

    @property
    def hears_publishes(self) -> bool:
        """Whether a publish that reaches Redis is known here at once."""
        cache, watcher = self.cache, self._watcher
        return cache is not None and cache.is_up and watcher is not None and watcher.is_hearing

    def watch(self) -> None:
        """Hear of publishes in a thread, until `close`; does nothing without Redis.

        For processes that run long: from now on no call waits for a Redis that is down, and
        pointers that are asked for are renewed in a thread before they are old.
        """
        self._learn_store()
        if self.cache is not None and self._watcher is None:
            self._watcher = Watcher(self.cache, self._memory.expire, self._memory.expire_all)
            self._watcher.start()
            self._renewals = ThreadPoolExecutor(1, "renew")

    def close(self) -> None:
        """Stop watching and close the connections to Redis; a later call opens new ones."""
        watcher, self._watcher = self._watcher, None
        renewals, self._renewals = self._renewals, None
        if watcher is not None:
            watcher.close()
        if renewals is not None:
            renewals.shutdown()
        if self.cache is not None:
            self.cache.close()

    def current(self, task: str) -> Pointer:
        """Return which version of a task is current, or was when it could last be learned.

        Raises:
            TaskNotFound: nothing is published under this id.
            StoreUnavailable, ArtifactCorrupt: the pointer cannot be read, and was never known.
        """
        pointer = self._memory.fresh(task)
        if pointer is None:
            _check_id(task)
            return self._look_up(task)
        self._renew_in_time(task)
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
        if self._artifacts is None:
            return self.store.read(task, version)
        data = self._artifact_from_redis(task, version) if self._may_hold(task, version) else None
        if data is None:
            data = self.store.read(task, version)
            self._artifacts.put_artifact(version, data)
        return data

    def publish(
        self,
        data: bytes,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
        canary: float | None = None,
    ) -> Pointer:
        """Publish to the store, then tell Redis; arguments and errors are the store's."""
        pointer = self.store.publish(data, expected=expected, canary=canary)
        self._announce(decode_meta(data).task.id, pointer)
        if self._artifacts is not None:
            self._artifacts.put_artifact(version_of(data), data)
        return pointer

    def rollback(
        self, task: str, *, expected: str | Expecting | None = Expecting.ANYTHING
    ) -> Pointer:
        """Roll back in the store, then tell Redis; arguments and errors are the store's."""
        return self._announce(task, self.store.rollback(task, expected=expected))

    def promote(
        self,
        task: str,
        version: str | None = None,
        *,
        expected: str | Expecting | None = Expecting.ANYTHING,
    ) -> Pointer:
        """Promote in the store, then tell Redis; arguments and errors are the store's."""
        return self._announce(task, self.store.promote(task, version, expected=expected))

    def tasks(self) -> list[str]:
        """Return the ids of all published tasks, sorted; asks the store."""
        return self.store.tasks()

    def resolve_version(self, task: str, text: str) -> str:
        """Return the version that `text` stands for; asks the store unless it is current here."""
        last = self._memory.last(task)
        if last is not None and text in last.answering:
            return text
        return self.store.resolve_version(task, text)

    def _renew_in_time(self, task: str) -> None:
        renewals = self._renewals
        if renewals is not None and self._memory.should_be_renewed(task):
            renewals.submit(self._look_up, task, renew=True)

    def _look_up(self, task: str, *, renew: bool = False) -> Pointer:
        """Find a task's pointer and remember it, or wait for the thread that is finding it."""
        look_up = self._memory.begin(task, renew=renew)
        if look_up.is_mine:
            try:
                pointer = self._find(task)
            except BaseException as error:  # of any kind: the others must not wait for ever
                self._memory.give_up(look_up, error, self._absence_s())
            else:
                self._memory.learn(look_up, pointer, self._lifetime_s())
        return look_up.pointer.result()

    def _find(self, task: str) -> Pointer:
        last = self._memory.last(task)
        return self._from_redis(task, last) or self._from_store(task, last)

    def _from_redis(self, task: str, last: Pointer | None) -> Pointer | None:
        """Return Redis' pointer if it is newer than ours, or ours, and names what can be had."""
        if self._store_id is None:
            self._learn_store()
        pointer = None if self.cache is None else self.cache.get_pointer(task)
        if pointer is None or self.cache is None or pointer == last:
            return pointer
        if last is not None and pointer.sequence <= last.sequence:
            return None
        known = frozenset() if last is None else last.answering
        for version in pointer.answering - known:
            if not self._is_held(task, version):
                _log.warning("Redis names version %s of %s, which nobody has", version, task)
                self.cache.forget_pointer(task)
                return None
        return pointer

    def _from_store(self, task: str, last: Pointer | None) -> Pointer:
        try:
            pointer = self._current_in_store(task)
        except TaskNotFound:
            self._note_store(None)
            raise
        except (StoreUnavailable, ArtifactCorrupt) as error:
            if last is None:
                raise
            self._note_store(error)
            return last
        self._note_store(None)
        self._had_tasks = True
        self._learn_store()
        if self.cache is not None:
            self.cache.set_pointer(task, pointer)
        return pointer

    def _current_in_store(self, task: str) -> Pointer:
        try:
            return self.store.current(task)
        except TaskNotFound as error:
            if self._is_gone():
                raise StoreUnavailable(
                    f"store {self.store.root}: it had tasks and has none any more; mount or "
                    "restore the folder, or publish again"
                ) from error
            raise

    def _is_gone(self) -> bool:
        """Return whether the folder was the store once and is an empty place now."""
        if self._store_id is not None:
            return self.store.identity() is None
        return self._had_tasks and not self.store.tasks()

    def _learn_store(self) -> None:
        """Learn which store this is, now and then anew: another one may lie there by now."""
        now = self._clock()
        if self._store_id is not None and now < self._learn_again_at:
            return
        with suppress(StoreUnavailable):
            self._store_id = self.store.identity() or self._store_id
        self._learn_again_at = now + WATCHED_TTL_S
        if self.cache is not None:
            self.cache.store_id = self._store_id

    def _may_hold(self, task: str, version: str) -> bool:
        """Return whether the store has this version, or cannot say so."""
        try:
            return self.store.holds(task, version)
        except StoreUnavailable as error:
            _log.debug("looking in Redis for %s: %s", task, error)
            return True

    def _is_held(self, task: str, version: str) -> bool:
        try:
            return self.store.holds(task, version)
        except StoreUnavailable as error:
            _log.debug("looking in Redis for %s: %s", task, error)
        return self._artifact_from_redis(task, version) is not None

    def _artifact_from_redis(self, task: str, version: str) -> bytes | None:
        """Return the artifact if Redis has it and it is this task's, not another's."""
        data = None if self._artifacts is None else self._artifacts.get_artifact(version)
        try:
            is_ours = data is not None and decode_meta(data).task.id == task
        except ArtifactCorrupt:
            is_ours = False
        return data if is_ours else None

    def _announce(self, task: str, pointer: Pointer) -> Pointer:
        self._learn_store()
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

    def _note_store(self, error: Exception | None) -> None:
        """Log that the store went or came back, once each time."""
        with self._lock:
            had_failed, self._store_failed = self._store_failed, error is not None
        if error is not None and not had_failed:
            _log.error("going on with the versions known so far: %s", error)
        elif error is None and had_failed:
            _log.warning("the store answers again")


def _check_id(task: str) -> None:
    try:
        check_task_id(task)
    except ValueError as error:
        raise TaskNotFound(str(error)) from error
