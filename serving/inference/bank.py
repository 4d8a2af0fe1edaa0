"""Adapters on the device, ready for a forward: a byte-budgeted, least-recently-used bank.

Missing adapters are loaded in threads, each once however many wait for it, so that a cold task
does not hold up warm ones. A resident adapter is immutable, so a lease is a count: what is leased
stays where it is, and what is evicted frees its memory when its last lease ends. Prompts and head
of one answer always come from one version. Knows nothing of rows, images or HTTP.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import torch

from adapters.artifact.meta import AdapterMeta
from adapters.cache.signed_source import ArtifactSource
from adapters.vit.adapter import decode
from adapters.vit.backbone import Backbone
from serving.errors import AdapterLoading
from serving.observing.observers import OBSERVERS
from serving.rows.resident import AdapterKey, Resident, make_resident
from serving.trunk.out_of_memory import retry_in_room

__all__ = ["AdapterBank", "AdapterKey", "Lease"]


@dataclass(frozen=True, eq=False)
class Lease:
    """A promise that the adapters of one batch stay where they are until it is answered.

    Attributes:
        residents: those that are there, or the error that keeps one from being there.
        loads: those that are still on their way.
        hold: counts this lease as one more holder of what a load has brought.
    """

    residents: dict[AdapterKey, Resident | Exception]
    loads: dict[AdapterKey, Future[Resident]]
    hold: Callable[[AdapterKey, Resident], Resident]

    @property
    def held(self) -> list[AdapterKey]:
        """The adapters that this lease keeps in place."""
        return [key for key, found in self.residents.items() if isinstance(found, Resident)]

    @property
    def failed(self) -> dict[AdapterKey, Exception]:
        """Those that are not there, and why."""
        return {key: e for key, e in self.residents.items() if isinstance(e, Exception)}

    def wait(self, patience_s: float) -> None:
        """Wait for what is still loading; an adapter that takes longer is an `AdapterLoading`.

        Its load goes on, for the next who asks.
        """
        wait(self.loads.values(), patience_s)
        for key, load in self.loads.items():
            self.residents[key] = self._outcome(key, load)
        self.loads.clear()

    def _outcome(self, key: AdapterKey, load: Future[Resident]) -> Resident | Exception:
        if not load.done():
            return AdapterLoading(f"{key.task}: its adapter is still being loaded; ask again")
        try:
            return self.hold(key, load.result())
        except Exception as error:  # belongs to this adapter alone, whatever it is
            return error


class AdapterBank:
    """Resident adapters under a byte budget; safe for many threads.

    Args:
        backbone: whose device and weights they are prepared for.
        source: where missing adapters are read.
        budget_bytes: beyond it the least recently used adapters that are neither leased nor
            pinned go. What one batch leases stays even if it is more than the budget.
        loaders: adapters loaded side by side.

    Attributes:
        backbone: see above.
        budget_bytes: see above.
        hits: adapters that a lease found resident, so far.
        misses: those that it had to load.
        evictions: those that had to go.
    """

    def __init__(
        self, backbone: Backbone, source: ArtifactSource, budget_bytes: int, *, loaders: int = 2
    ) -> None:
        self.backbone = backbone
        self._source = source
        self.budget_bytes = budget_bytes
        self._lock = Lock()
        self._residents: OrderedDict[AdapterKey, Resident] = OrderedDict()
        self._num_bytes = 0
        self.hits = self.misses = self.evictions = 0
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

    @property
    def keys(self) -> frozenset[AdapterKey]:
        """Everything that is resident."""
        with self._lock:
            return frozenset(self._residents)

    def versions_of(self, task: str) -> set[str]:
        """Return the versions of a task that are resident."""
        with self._lock:
            return {key.version for key in self._residents if key.task == task}

    @property
    def pins(self) -> frozenset[AdapterKey]:
        """What is never evicted."""
        return frozenset(self._pins.values())

    def __contains__(self, key: object) -> bool:
        """Whether this version is resident."""
        return key in self._residents

    def __len__(self) -> int:
        """Return how many adapters are resident."""
        return len(self._residents)

    @contextmanager
    def lease(self, keys: Iterable[AdapterKey]) -> Iterator[Lease]:
        """Keep adapters resident for the length of the block; missing ones begin to load."""
        lease, distinct = Lease({}, {}, self._hold), dict.fromkeys(keys)
        try:
            with self._lock:
                for key in distinct:
                    if key in self._residents:
                        lease.residents[key] = self._count(key)
                    else:
                        lease.loads[key] = self._load(key)
                self.hits += len(lease.residents)
                self.misses += len(lease.loads)
            yield lease
        finally:
            self._give_back(lease.held)

    def prefetch(self, keys: Iterable[AdapterKey]) -> None:
        """Begin to load those that are missing, and wait for none."""
        with self._lock:
            for key in keys:
                if key not in self._residents:
                    self._load(key)

    def describe(self, key: AdapterKey) -> AdapterMeta:
        """Return what a version says of itself, resident or not; errors are its source's."""
        return self._source.describe(key.task, key.version)

    def pin(self, key: AdapterKey) -> None:
        """Never evict this version, until another one of the same task is pinned."""
        self._pins[key.task] = key

    def make_room(self, num_bytes: int | None = None) -> int:
        """Evict what is neither leased nor pinned, and give its memory back.

        Args:
            num_bytes: at least so many, the least recently used first; None for all there are.

        Returns:
            Bytes that were evicted.
        """
        with self._lock:
            before = self._num_bytes
            self._evict(before if num_bytes is None else num_bytes)
            evicted = before - self._num_bytes
        if self.backbone.device.type == "cuda":
            torch.cuda.empty_cache()
        return evicted

    def close(self) -> None:
        """Let the loading threads go; loads that have not begun are dropped."""
        self._loaders.shutdown(cancel_futures=True)

    def _load(self, key: AdapterKey) -> "Future[Resident]":
        if key not in self._loads:
            self._loads[key] = self._loaders.submit(self._read, key)
        return self._loads[key]

    def _read(self, key: AdapterKey) -> Resident:
        """Make an adapter resident; runs in a loading thread."""
        begin_s = time.monotonic()
        try:
            loaded = self._made(key)
        except Exception as error:
            OBSERVERS.loaded(begin_s, *key, error)
            raise
        OBSERVERS.loaded(begin_s, *key, None)
        return loaded

    def _made(self, key: AdapterKey) -> Resident:
        try:
            adapter = decode(self._source.read(key.task, key.version))
            loaded = retry_in_room(lambda: make_resident(adapter, self.backbone), self.make_room)
            with self._lock:
                self._keep(key, loaded)
            return loaded
        finally:
            # the load is forgotten after the adapter is resident, so that anyone who looks finds
            # one of the two and begins no second load; a load that failed may be tried again
            with self._lock:
                del self._loads[key]
                # nobody may hold it yet: over the budget it goes at once, and a lease that has
                # waited for this load brings it back
                self._evict()

    def _hold(self, key: AdapterKey, loaded: Resident) -> Resident:
        """Lease what a load has brought, though it may have been evicted since."""
        with self._lock:
            self._keep(key, loaded)
            return self._count(key)

    def _keep(self, key: AdapterKey, loaded: Resident) -> None:
        if key not in self._residents:
            self._residents[key] = loaded
            self._num_bytes += loaded.num_bytes

    def _count(self, key: AdapterKey) -> Resident:
        """Count one more lease of a resident, which is now the one that was used last."""
        self._residents.move_to_end(key)
        self._leases[key] = self._leases.get(key, 0) + 1
        return self._residents[key]

    def _give_back(self, keys: Iterable[AdapterKey]) -> None:
        with self._lock:
            for key in keys:
                self._leases[key] -= 1
                if not self._leases[key]:
                    del self._leases[key]
            self._evict()

    def _evict(self, excess: int | None = None) -> None:
        """Let the least recently used go until `excess` bytes are free, or the budget is kept."""
        excess = self._num_bytes - self.budget_bytes if excess is None else excess
        victims = []
        for key, resident in self._residents.items():
            if excess <= 0:
                break
            if key not in self._leases and self._pins.get(key.task) != key:
                excess -= resident.num_bytes
                victims.append(key)
        for key in victims:
            self._num_bytes -= self._residents.pop(key).num_bytes
        self.evictions += len(victims)
