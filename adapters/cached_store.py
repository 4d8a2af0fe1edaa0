"""The store behind two layers of memory: this process's pointers, then Redis.

What trainer and server use. How old may an answer be? `pointer_ttl_s` where the publisher
reached Redis, Redis' own lifetime of a pointer where it did not, and for as long as it takes
while neither Redis nor the store answers. Knows nothing of tensors.
"""

import logging
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from adapters.cache import AdapterCache
from adapters.codec import decode_meta
from adapters.errors import ArtifactCorrupt, StoreUnavailable, TaskNotFound
from adapters.store import DirectoryStore, Expecting, Pointer
from adapters.task import check_task_id

MAX_UNKNOWN_TASKS = 1024
"""How many ids of tasks that do not exist are remembered, at most."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Known:
    pointer: Pointer
    learned_at: float
    fresh_until: float


class CachedStore:
    """A DirectoryStore that answers fast and outlives its Redis; safe for many threads.

    Args:
        store: the truth.
        cache: Redis, None for none.
        pointer_ttl_s: how long this process trusts a pointer, or the absence of one, give or
            take a fifth.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        store: DirectoryStore,
        cache: AdapterCache | None = None,
        *,
        pointer_ttl_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.cache = cache
        self._pointer_ttl_s = pointer_ttl_s
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._store_failed = False
        self._lock = threading.Lock()

    def current(self, task: str) -> Pointer:
        """Return which version of a task is current, or was when it could last be learned.

        Raises:
            TaskNotFound: nothing is published under this id.
            StoreUnavailable, ArtifactCorrupt: the pointer cannot be read, and was never known.
        """
        now = self._clock()
        known = self._known.get(task)
        if known is not None and now < known.fresh_until:
            return known.pointer
        if now < self._unknown.get(task, now):
            raise TaskNotFound(f"task {task!r} was not published a moment ago; try again later")
        _check_id(task)
        pointer = self._from_redis(task, known)
        if pointer is None:
            pointer = self._from_store(task, known)
        return self._remember(task, pointer, since=now)

    def read(self, task: str, version: str) -> bytes:
        """Return the bytes of one version, from Redis or else from the store.

        Args:
            task: its id.
            version: all 64 hex digits.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            ArtifactCorrupt: the store's file is damaged.
            StoreUnavailable: it is not in Redis and the store cannot be read.
        """
        data = self._artifact_from_redis(task, version)
        if data is None:
            data = self.store.read(task, version)
            if self.cache is not None:
                self.cache.put_artifact(version, data)
        return data

    def publish(
        self, data: bytes, *, expected: str | Expecting | None = Expecting.ANYTHING
    ) -> Pointer:
        """Publish to the store, then tell Redis; arguments and errors are the store's."""
        pointer = self.store.publish(data, expected=expected)
        if self.cache is not None:
            self.cache.put_artifact(pointer.version, data)
        return self._announce(decode_meta(data).task.id, pointer)

    def rollback(self, task: str) -> Pointer:
        """Roll back in the store, then tell Redis; errors are the store's."""
        return self._announce(task, self.store.rollback(task))

    def tasks(self) -> list[str]:
        """Return the ids of all published tasks, sorted; asks the store."""
        return self.store.tasks()

    def resolve_version(self, task: str, text: str) -> str:
        """Return the version that `text` stands for; asks the store unless it is current here."""
        known = self._known.get(task)
        if known is not None and known.pointer.version == text:
            return text
        return self.store.resolve_version(task, text)

    def _from_redis(self, task: str, known: _Known | None) -> Pointer | None:
        """Return Redis' pointer if it is no older than ours and names what can be had."""
        pointer = None if self.cache is None else self.cache.get_pointer(task)
        if pointer is None or self.cache is None:
            return None
        if known is not None and pointer.sequence < known.pointer.sequence:
            return None
        if known is not None and pointer.version == known.pointer.version:
            return pointer
        if self._is_held(task, pointer.version):
            return pointer
        _log.warning("Redis names version %s of %s, which nobody has", pointer.version, task)
        self.cache.forget_pointer(task)
        return None

    def _from_store(self, task: str, known: _Known | None) -> Pointer:
        try:
            pointer = self.store.current(task)
        except TaskNotFound:
            self._note_store(None)
            self._remember_unknown(task)
            raise
        except (StoreUnavailable, ArtifactCorrupt) as error:
            if known is None:
                raise
            self._note_store(error)
            return known.pointer
        self._note_store(None)
        if self.cache is not None:
            self.cache.set_pointer(task, pointer)
        return pointer

    def _is_held(self, task: str, version: str) -> bool:
        try:
            if self.store.holds(task, version):
                return True
        except StoreUnavailable as error:
            _log.debug("looking in Redis for %s: %s", task, error)
        return self._artifact_from_redis(task, version) is not None

    def _artifact_from_redis(self, task: str, version: str) -> bytes | None:
        """Return the artifact if Redis has it and it is this task's, not another's."""
        data = None if self.cache is None else self.cache.get_artifact(version)
        try:
            is_ours = data is not None and decode_meta(data).task.id == task
        except ArtifactCorrupt:
            is_ours = False
        return data if is_ours else None

    def _announce(self, task: str, pointer: Pointer) -> Pointer:
        if self.cache is not None:
            self.cache.set_pointer(task, pointer)
        self._remember(task, pointer, since=self._clock())
        return pointer

    def _remember(self, task: str, pointer: Pointer, *, since: float) -> Pointer:
        """Keep a pointer, unless a newer one was learned while we were asking."""
        now = self._clock()
        with self._lock:
            known = self._known.get(task)
            if known is not None and known.learned_at >= since:
                pointer = max(pointer, known.pointer, key=lambda p: p.sequence)
            self._known[task] = _Known(pointer, now, now + self._lifetime())
            self._unknown.pop(task, None)
        return pointer

    def _remember_unknown(self, task: str) -> None:
        with self._lock:
            self._known.pop(task, None)
            self._unknown[task] = self._clock() + self._lifetime()
            if len(self._unknown) > MAX_UNKNOWN_TASKS:
                self._unknown.popitem(last=False)

    def _lifetime(self) -> float:
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
