"""Adapters on the device, ready for a forward: a byte-budgeted, least-recently-used bank.

A resident adapter is immutable, so a lease is a count: what is leased stays where it is, and
what is evicted frees its memory when its last lease ends. Prompts and head of one answer always
come from one version. Knows nothing of images, batches or HTTP.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple, Protocol, runtime_checkable

from adapters.backbone import Backbone
from adapters.codec import decode
from adapters.errors import AdapterError
from serving.resident import Resident, make_resident


class AdapterKey(NamedTuple):
    """One version of one task's adapter."""

    task: str
    version: str


@runtime_checkable
class ArtifactSource(Protocol):
    """Where artifacts are read; a CachedStore is one."""

    def read(self, task: str, version: str) -> bytes:
        """Return the artifact's bytes, or raise an AdapterError."""


class AdapterBank:
    """Resident adapters under a byte budget.

    Args:
        backbone: whose device and weights they are prepared for.
        source: where missing adapters are read.
        budget_bytes: beyond it the least recently used adapters without a lease go. What one
            batch leases stays even if it is more than the budget.
    """

    def __init__(self, backbone: Backbone, source: ArtifactSource, budget_bytes: int) -> None:
        self._backbone = backbone
        self._source = source
        self._budget = budget_bytes
        self._lock = Lock()
        self._residents: OrderedDict[AdapterKey, Resident] = OrderedDict()
        self._leases: dict[AdapterKey, int] = {}

    @property
    def num_bytes(self) -> int:
        """Device memory of all residents."""
        with self._lock:
            return self._num_bytes()

    def __contains__(self, key: AdapterKey) -> bool:
        """Whether this version is resident."""
        with self._lock:
            return key in self._residents

    @contextmanager
    def lease(
        self, keys: Iterable[AdapterKey]
    ) -> Iterator[dict[AdapterKey, Resident | AdapterError]]:
        """Keep adapters resident for the length of the block, loading those that are missing.

        Yields:
            for each distinct key its adapter, or the error that kept it from loading.
        """
        leased: dict[AdapterKey, Resident | AdapterError] = {}
        try:
            for key in dict.fromkeys(keys):
                try:
                    leased[key] = self._take(key)
                except AdapterError as error:
                    leased[key] = error
            yield leased
        finally:
            self._give_back(k for k, v in leased.items() if isinstance(v, Resident))

    def _take(self, key: AdapterKey) -> Resident:
        with self._lock:
            found = self._residents.get(key)
            if found is not None:
                return self._count(key, found)
        loaded = make_resident(decode(self._source.read(key.task, key.version)), self._backbone)
        with self._lock:
            return self._count(key, self._residents.setdefault(key, loaded))

    def _count(self, key: AdapterKey, resident: Resident) -> Resident:
        self._residents.move_to_end(key)
        self._leases[key] = self._leases.get(key, 0) + 1
        return resident

    def _give_back(self, keys: Iterable[AdapterKey]) -> None:
        with self._lock:
            for key in keys:
                self._leases[key] -= 1
                if not self._leases[key]:
                    del self._leases[key]
            self._evict()

    def _evict(self) -> None:
        excess = self._num_bytes() - self._budget
        for key in [k for k in self._residents if k not in self._leases]:
            if excess <= 0:
                break
            excess -= self._residents.pop(key).num_bytes

    def _num_bytes(self) -> int:
        return sum(resident.num_bytes for resident in self._residents.values())
