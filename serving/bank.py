"""Adapters on the device, ready for a forward: a byte-budgeted, least-recently-used bank.

Missing adapters are loaded by threads of their own, each once however many wait for it, so that
a cold task does not hold up warm ones. A resident adapter is immutable, so a lease is a count:
what is leased stays where it is, and what is evicted frees its memory when its last lease ends.
Prompts and head of one answer always come from one version. Knows nothing of images, batches or
HTTP.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple, Protocol, runtime_checkable

import torch

from adapters.backbone import Backbone
from adapters.codec import decode
from serving.errors import AdapterLoading
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
    """Resident adapters under a byte budget; safe for many threads.

    Args:
        backbone: whose device and weights they are prepared for.
        source: where missing adapters are read.
        budget_bytes: beyond it the least recently used adapters that are neither leased nor
            pinned go. What one batch leases stays even if it is more than the budget.
        loaders: adapters loaded side by side.
    """

    def __init__(
        self, backbone: Backbone, source: ArtifactSource, budget_bytes: int, *, loaders: int = 2
    ) -> None:
        self._backbone = backbone
        self._source = source
        self._budget = budget_bytes
        self._lock = Lock()
        self._residents: OrderedDict[AdapterKey, Resident] = OrderedDict()
        self._num_bytes = 0
        self._leases: dict[AdapterKey, int] = {}
        self._pins: dict[str, AdapterKey] = {}
        self._loads: dict[AdapterKey, Future[Resident]] = {}
        self._loaders = ThreadPoolExecutor(
            loaders, "load", initializer=torch.set_num_threads, initargs=(1,)
        )

    @property
    def num_bytes(self) -> int:
        """Device memory of all residents."""
        return self._num_bytes

    def __contains__(self, key: AdapterKey) -> bool:
        """Whether this version is resident."""
        return key in self._residents

    def __len__(self) -> int:
        """Return how many adapters are resident."""
        return len(self._residents)

    @contextmanager
    def lease(self, keys: Iterable[AdapterKey]) -> Iterator["Lease"]:
        """Keep adapters resident for the length of the block; missing ones begin to load."""
        lease = Lease(self, keys)
        try:
            yield lease
        finally:
            self._give_back(lease.held)

    def prefetch(self, keys: Iterable[AdapterKey]) -> None:
        """Begin to load those that are missing, and wait for none."""
        with self._lock:
            for key in keys:
                if key not in self._residents:
                    self._load(key)

    def pin(self, key: AdapterKey) -> None:
        """Never evict this version, until another one of the same task is pinned."""
        self._pins[key.task] = key

    def close(self) -> None:
        """Let the loading threads go; loads that have not begun are dropped."""
        self._loaders.shutdown(cancel_futures=True)

    def take(self, key: AdapterKey) -> "Resident | Future[Resident]":
        """Lease an adapter if it is resident, else return its load, begun if need be."""
        with self._lock:
            found = self._residents.get(key)
            return self._load(key) if found is None else self._count(key, found)

    def take_loaded(self, key: AdapterKey, loaded: Resident) -> Resident:
        """Lease what a load has brought, though it may have been evicted since."""
        with self._lock:
            return self._count(key, self._keep(key, loaded))

    def _load(self, key: AdapterKey) -> "Future[Resident]":
        if key not in self._loads:
            self._loads[key] = self._loaders.submit(self._read, key)
        return self._loads[key]

    def _read(self, key: AdapterKey) -> Resident:
        try:
            data = self._source.read(key.task, key.version)
            loaded = make_resident(decode(data), self._backbone)
            with self._lock:
                self._keep(key, loaded)
            return loaded
        finally:
            with self._lock:
                del self._loads[key]
                self._evict()

    def _keep(self, key: AdapterKey, loaded: Resident) -> Resident:
        if key not in self._residents:
            self._residents[key] = loaded
            self._num_bytes += loaded.num_bytes
        return self._residents[key]

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
        excess, victims = self._num_bytes - self._budget, []
        for key, resident in self._residents.items():
            if excess <= 0:
                break
            if key not in self._leases and self._pins.get(key.task) != key:
                excess -= resident.num_bytes
                victims.append(key)
        for key in victims:
            self._num_bytes -= self._residents.pop(key).num_bytes


class Lease:
    """The adapters of one batch.

    Attributes:
        residents: those that are there, or the error that keeps one from being there.
    """

    def __init__(self, bank: AdapterBank, keys: Iterable[AdapterKey]) -> None:
        self._bank = bank
        self._loads: dict[AdapterKey, Future[Resident]] = {}
        self.residents: dict[AdapterKey, Resident | Exception] = {}
        for key in dict.fromkeys(keys):
            found = bank.take(key)
            if isinstance(found, Resident):
                self.residents[key] = found
            else:
                self._loads[key] = found

    @property
    def held(self) -> list[AdapterKey]:
        """The adapters that this lease keeps in place."""
        return [key for key, found in self.residents.items() if isinstance(found, Resident)]

    def wait(self, patience_s: float) -> dict[AdapterKey, Resident | Exception]:
        """Return what was still loading; an adapter that takes longer is an `AdapterLoading`.

        Its load goes on, for whoever asks again.
        """
        wait(self._loads.values(), patience_s)
        late = {key: self._outcome(key, load, patience_s) for key, load in self._loads.items()}
        self.residents |= late
        self._loads.clear()
        return late

    def _outcome(
        self, key: AdapterKey, load: Future[Resident], patience_s: float
    ) -> Resident | Exception:
        if not load.done():
            return AdapterLoading(
                f"{key.task}: its adapter is still being loaded after {patience_s:g} s; ask again"
            )
        try:
            return self._bank.take_loaded(key, load.result())
        except Exception as error:  # belongs to this adapter alone, whatever it is
            return error
