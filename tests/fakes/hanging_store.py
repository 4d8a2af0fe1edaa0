"""A store that does not fail but hangs, as network directories do."""

import threading
from pathlib import Path

from adapters.artifact.meta import AdapterMeta
from adapters.store.directory import DirectoryStore, Pointer
from adapters.store.feed import Feed
from adapters.store.record import HistoryEntry, TaskRecord

HANGS_S = 60.0
"""Longer than any test leaves it hanging: who waits so long has waited for the store."""


class HangingStore(DirectoryStore):
    """Every read waits for an event that a test takes away.

    It is one of an earlier version, without a feed, so that tasks are looked up all the time.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.asked = 0

    def feed(self) -> Feed | None:
        self._wait()
        return None

    def identity(self) -> str | None:
        self._wait()
        return super().identity()

    def current(self, task: str) -> Pointer:
        self._wait()
        return super().current(task)

    def record(self, task: str) -> TaskRecord:
        self._wait()
        return super().record(task)

    def history(self, task: str) -> tuple[HistoryEntry, ...]:
        self._wait()
        return super().history(task)

    def holds(self, task: str, version: str) -> bool:
        self._wait()
        return super().holds(task, version)

    def resolve_version(self, task: str, text: str) -> str:
        self._wait()
        return super().resolve_version(task, text)

    def read(self, task: str, version: str) -> bytes:
        self._wait()
        return super().read(task, version)

    def describe(self, task: str, version: str) -> tuple[AdapterMeta, int]:
        self._wait()
        return super().describe(task, version)

    def tasks(self) -> list[str]:
        self._wait()
        return super().tasks()

    def versions(self, task: str) -> list[str]:
        self._wait()
        return super().versions(task)

    def _wait(self) -> None:
        self.asked += 1
        assert self.goes_on.wait(HANGS_S)
