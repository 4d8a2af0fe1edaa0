"""Where a pointer or an artifact is found: in Redis, or in the store, which is the truth.

Remembers no pointer, and waits for as long as the store takes.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

from adapters.artifact.codec import decode_meta
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.redis_pointer import KeptPointer, kept_from
from adapters.cache.store_calls import LONG_S, StoreCalls
from adapters.errors import ArtifactCorrupt, StoreUnavailable, TaskNotFound
from adapters.store.directory import Pointer, Store
from adapters.store.feed import Feed

LEARN_AGAIN_S: Final = 5.0
"""How often it is looked which store the folder is."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A task's pointer, and whether it is the store's by now: else it is what was known."""

    pointer: Pointer
    is_certain: bool


class Places:
    """A store, and a Redis that keeps its pointers and maybe its artifacts; for many threads.

    Args:
        store: the truth.
        cache: Redis, None for none.
        artifacts_in_redis: whether artifacts are kept there.
        clock: seconds that only grow.

    Attributes:
        calls: knows whether the store hangs, if anyone does.
    """

    def __init__(
        self,
        store: Store,
        cache: AdapterCache | None,
        *,
        artifacts_in_redis: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls: StoreCalls | None = None
        self._store = store
        self._cache = cache
        self._artifacts = cache if artifacts_in_redis else None
        self._clock = clock
        self._store_id: str | None = None
        self._learn_again_at = 0.0
        self._had_tasks = self._store_failed = False
        self._lock = threading.Lock()

    def find(self, task: str, last: Pointer | None, feed: Feed | None) -> Found:
        """Find a task's pointer.

        Args:
            task: its id.
            last: what is known of it already; found if the store does not answer.
            feed: what has moved until now; None for not known.

        Raises:
            TaskNotFound: nothing is published under this id.
            StoreUnavailable, ArtifactCorrupt: the pointer cannot be read, and was never known.
        """
        if last is None and feed is not None:
            kept = self._from_redis(task)
            if kept is not None and kept.is_current(task, feed):
                return Found(kept.pointer, is_certain=True)
        try:
            pointer = self._current_in_store(task)
        except TaskNotFound:
            self._note_store(None)
            raise
        except (StoreUnavailable, ArtifactCorrupt) as error:
            kept = self._from_redis(task) if last is None else None
            known = last if kept is None else kept.pointer
            if known is None:
                raise
            self._note_store(error)
            return Found(known, is_certain=False)
        self._note_store(None)
        self._had_tasks = True
        self.learn_store()
        self._keep(task, pointer, feed)
        return Found(pointer, is_certain=True)

    def keep_pointer(self, task: str, pointer: Pointer) -> None:
        """Keep a pointer in Redis that the store has just got."""
        if self._cache is not None:
            with suppress(StoreUnavailable, ArtifactCorrupt):
                self._keep(task, pointer, self._store.feed())

    def ask(
        self,
        call: Callable[[], _T],
        *,
        limit_s: float | None = None,
        patience_s: float | None = None,
    ) -> _T:
        """Make a call to the store, in a thread that may hang where there are such."""
        calls = self.calls
        if calls is None:
            return call()
        return calls.ask(call, limit_s=limit_s, patience_s=patience_s)

    def holds(self, task: str, version: str) -> bool:
        """Return whether the store has a version; errors are the store's."""
        if self._store.holds(task, version):
            return True
        self._require_store()
        return False

    def resolve_version(self, task: str, text: str) -> str:
        """Return the version that `text` stands for; errors are the store's."""
        return self._while_there(lambda: self._store.resolve_version(task, text))

    def read(self, task: str, version: str) -> bytes:
        """Return the bytes of one version; errors are the store's."""
        if self._artifacts is None:
            return self._read_store(task, version)
        data = self._artifact_from_redis(task, version) if self._may_hold(task, version) else None
        if data is None:
            data = self._read_store(task, version)
            self.keep_artifact(version, data)
        return data

    def envelope(self, task: str, version: str) -> bytes | None:
        """Return the signatures next to one version, from the store alone; errors are its own."""

        def read() -> bytes | None:
            return self._while_there(lambda: self._store.envelope(task, version))

        return self.ask(read)

    def _read_store(self, task: str, version: str) -> bytes:
        def read() -> bytes:
            return self._while_there(lambda: self._store.read(task, version))

        return self.ask(read, limit_s=LONG_S)

    def keep_artifact(self, version: str, data: bytes) -> None:
        """Keep an artifact in Redis, if artifacts are kept there."""
        if self._artifacts is not None:
            self._artifacts.put_artifact(version, data)

    def _from_redis(self, task: str) -> KeptPointer | None:
        return None if self._cache is None else self._cache.get_pointer(task)

    def _keep(self, task: str, pointer: Pointer, feed: Feed | None) -> None:
        kept = kept_from(task, pointer, feed)
        if self._cache is not None and kept is not None:
            self._cache.keep_pointer(task, kept)

    def _current_in_store(self, task: str) -> Pointer:
        return self._while_there(lambda: self._asked(lambda: self._store.current(task)))

    def _while_there(self, call: Callable[[], _T]) -> _T:
        """Make a call to the store; a task is unknown only while the store is there."""
        try:
            return call()
        except TaskNotFound:
            self._require_store()
            raise

    def _require_store(self) -> None:
        """Raise StoreUnavailable where the folder was the store once and is an empty place now."""
        if self._is_gone():
            raise StoreUnavailable(
                f"store {self._store.name}: it had tasks and has none any more; mount or restore "
                "the folder, or publish again"
            )

    def _is_gone(self) -> bool:
        if self._store_id is not None:
            return self._store.identity() is None
        return self._had_tasks and not self._store.tasks()

    def _asked(self, call: Callable[[], _T]) -> _T:
        """Ask the store, if it does not hang; this thread waits for as long as it takes."""
        calls = self.calls
        if calls is None:
            return call()
        if not calls.lets_through():
            raise calls.unavailable()
        try:
            return call()
        finally:
            calls.answered()

    def learn_store(self) -> None:
        """Learn which store this is, now and then anew: another one may lie there by now."""
        now = self._clock()
        if self._store_id is not None and now < self._learn_again_at:
            return
        with suppress(StoreUnavailable):
            self._store_id = self._store.identity() or self._store_id
        self._learn_again_at = now + LEARN_AGAIN_S
        if self._cache is not None:
            self._cache.store_id = self._store_id

    def _may_hold(self, task: str, version: str) -> bool:
        """Return whether the store has this version, or cannot say so."""
        try:
            return self.ask(lambda: self._store.holds(task, version))
        except StoreUnavailable as error:
            _log.debug("looking in Redis for %s: %s", task, error)
            return True

    def _artifact_from_redis(self, task: str, version: str) -> bytes | None:
        """Return the artifact if Redis has it and it is this task's, not another's."""
        data = None if self._artifacts is None else self._artifacts.get_artifact(version)
        try:
            is_ours = data is not None and decode_meta(data).task.id == task
        except ArtifactCorrupt:
            is_ours = False
        return data if is_ours else None

    def _note_store(self, error: Exception | None) -> None:
        """Log that the store went or came back, once each time."""
        with self._lock:
            had_failed, self._store_failed = self._store_failed, error is not None
        if error is not None and not had_failed:
            _log.error("going on with the versions known so far: %s", error)
        elif error is None and had_failed:
            _log.warning("the store answers again")
