"""Looks for the version that stands in for one that cannot be loaded: in threads, step by step.

Each step tries one version and goes to the end of the queue, so that a task of many bad versions
keeps no other task waiting. What nobody waits for any more has a thread of its own, which leaves
the processor to the forwards. A version of another backbone is told by its header; its tensors are
never read. Knows nothing of rows, nor of what is done with what is found.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from threading import Event
from typing import Final

from adapters.artifact.codec import short
from adapters.cache.cached_store import CachedStore
from adapters.errors import (
    ArtifactMismatch,
    SptError,
    StoreUnavailable,
    TaskNotFound,
    VersionNotFound,
)
from serving.errors import AdapterLoading, DeviceOutOfMemory
from serving.inference.bank import AdapterBank
from serving.rows.resident import AdapterKey

OUT_OF_REACH: Final = (StoreUnavailable, AdapterLoading)
"""A version that meets these is not to blame; what is on the device stands in for it."""

NOT_ITS_FAULT: Final = (TaskNotFound, DeviceOutOfMemory)
"""Where a version meets these, another version would meet them, too."""

LOAD_PATIENCE_S: Final = 30.0

BREATH_S: Final = 0.05
"""Between versions that nobody waits for: the forwards go first."""

_log = logging.getLogger(__name__)

End = Callable[[AdapterKey | None], None]
NoteBad = Callable[[AdapterKey, Exception], bool]


class StandIns:
    """Looks for stand-ins; safe for many threads.

    Args:
        source: where tasks' pointers and histories are read.
        bank: where a version is described, and loaded to see whether it can be.
        note_bad: told of each version that cannot; returns whether nobody waits for the rest.
    """

    def __init__(self, source: CachedStore, bank: AdapterBank, note_bad: NoteBad) -> None:
        self._source = source
        self._bank = bank
        self._note_bad = note_bad
        self._closing = Event()
        self._awaited = ThreadPoolExecutor(1, "stand-in")
        self._idle = ThreadPoolExecutor(1, "idle-stand-in")

    def search(self, candidates: Iterator[AdapterKey], end: End, *, is_idle: bool) -> None:
        """Begin to look for the first of some versions that can be loaded.

        Args:
            candidates: best first; gone through in a thread.
            end: called once, there, with what was found; None if nothing was.
            is_idle: whether nobody waits for it.
        """
        self._go_on(self._idle if is_idle else self._awaited, candidates, end)

    def history(self, task: str) -> list[str]:
        """Return the versions that were current, newest first; none while the store is away."""
        try:
            history = self._source.ask_store(lambda store: store.history(task))
        except SptError:
            return []
        return [entry.version for entry in reversed(history)]

    def close(self) -> None:
        """Let the threads go; searches that run end without a find."""
        self._closing.set()
        for threads in (self._awaited, self._idle):
            threads.shutdown(cancel_futures=True)

    def _go_on(self, threads: Executor, candidates: Iterator[AdapterKey], end: End) -> None:
        try:
            threads.submit(self._step, threads, candidates, end)
        except RuntimeError:  # closed
            end(None)

    def _step(self, threads: Executor, candidates: Iterator[AdapterKey], end: End) -> None:
        if threads is self._idle:
            self._closing.wait(BREATH_S)
        try:
            candidate = next(candidates, None)
            error = None if candidate is None else self._trouble_of(candidate)
        except Exception:  # those who wait for the end must not wait for ever
            _log.exception("the search for a version that stands in has failed")
            end(None)
            return
        if candidate is None or error is None:
            end(candidate)
        elif isinstance(error, OUT_OF_REACH + NOT_ITS_FAULT):
            end(None)
        else:
            is_over = self._note_bad(candidate, error)
            self._go_on(self._idle if is_over else threads, candidates, end)

    def _trouble_of(self, key: AdapterKey) -> Exception | None:
        """Load a version; return why it cannot be."""
        if key in self._bank:
            return None if self._source.still_holds(*key) else _deleted(key)
        foreign = self._foreign(key)
        if foreign is not None:
            return foreign
        with self._bank.lease([key]) as lease:
            lease.wait(LOAD_PATIENCE_S)
            return lease.failed.get(key)

    def _foreign(self, key: AdapterKey) -> ArtifactMismatch | None:
        """Return why a version's header does not fit this service; None if it does, or is away."""
        try:
            self._bank.describe(key).check_fits(self._bank.backbone.spec)
        except ArtifactMismatch as error:
            return error
        except SptError:
            return None
        return None


def _deleted(key: AdapterKey) -> VersionNotFound:
    return VersionNotFound(f"{key.task}: the store has no version {short(key.version)} any more")
