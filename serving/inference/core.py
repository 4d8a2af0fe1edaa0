"""What every way of serving shares: the trunk, the adapters on the device, and how both are found.

Knows nothing of images, HTTP or processes.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Final

import torch

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.cache.cached_store import CachedStore
from serving.deadline import Deadline
from serving.inference.bank import AdapterBank
from serving.inference.describe import describe
from serving.inference.description import Description
from serving.inference.listing import TaskLists
from serving.inference.lookup import Lookup
from serving.inference.seating import equip, seat
from serving.inference.state import Memory, Redis, State, Trunk
from serving.protocol import TaskPage
from serving.rows.listing import Listing
from serving.rows.query import Query
from serving.rows.resident import Resident
from serving.rows.row import Row, pending
from serving.trunk.backend import Backend, Example, Form
from serving.trunk.lost_device import probe

_log = logging.getLogger(__name__)

USUAL_PROMPTS: Final = 20
"""The paper's number of deep prompts per block."""

PRELOAD_LOOK_UP_S: Final = 10.0
PRELOAD_PATIENCE_S: Final = 60.0
PRELOADED_AT_ONCE: Final = 32
"""Tasks that are loaded side by side; what is leased at once may exceed the bank's budget."""


class Core:
    """One frozen backbone, and the adapters of a store on its device.

    Args:
        backend: runs the trunk.
        source: where tasks' versions and artifacts are looked up.
        bank: resident adapters.
        pinned: tasks whose current version is never evicted.
        trunk: what the settings call the backend.

    Attributes:
        backend: see above.
        bank: see above.
        lookup: chooses the versions.
    """

    def __init__(
        self,
        backend: Backend,
        source: CachedStore,
        bank: AdapterBank,
        pinned: Collection[str] = (),
        trunk: Trunk | None = None,
    ) -> None:
        self.backend = backend
        self.bank = bank
        self._source = source
        self._pinned = sorted(pinned)
        self._trunk = trunk
        self.lookup = Lookup(source, bank, pinned)
        self._lists = TaskLists(source, backend.backbone.spec)

    @property
    def in_flight(self) -> int:
        """Forwards that the device has at once; CUDA has the next one staged while one runs."""
        return 2 if self.backend.backbone.device.type == "cuda" else 1

    def seat(
        self, rows: Sequence[Row], leases: ExitStack, deadline: Deadline
    ) -> Iterator[list[Row]]:
        """Yield rows as their adapters are there; see `serving.inference.seating`."""
        return seat(rows, self.lookup, self.bank, leases, deadline)

    def warm_up(self, preload: Iterable[str] = ()) -> None:
        """Load adapters, then do everything slow that the first requests would wait for.

        Args:
            preload: tasks to make resident together with the pinned ones; one that cannot be
                loaded is logged and left to its first request.
        """
        examples = {usual_example(self.backend.backbone.spec)}
        tasks = list(dict.fromkeys([*self._pinned, *preload]))
        for start in range(0, len(tasks), PRELOADED_AT_ONCE):
            for resident in self._preload(tasks[start : start + PRELOADED_AT_ONCE]):
                examples.add(Example(resident.form, resident.num_prompts))
        self.backend.warm_up(sorted(examples))

    def probe(self) -> None:
        """Compute one row of nothing; raise what that raises, `DeviceLost` among it."""
        probe(self.backend, usual_example(self.backend.backbone.spec))

    def describe(self, tasks: Iterable[str] | None = None) -> Description:
        """Return what is served and where it is: of these tasks, or of all."""
        return describe(self.backend.backbone, self._source, self.bank, self.lookup, tasks)

    def list_tasks(self, listing: Listing) -> TaskPage:
        """Return a page of the tasks that a caller may ask, or one of them with its classes."""
        return self._lists.tell(listing)

    def state(self) -> State:
        """Return what can be counted now; asks neither the store nor Redis."""
        bank, cache = self.bank, self._source.cache
        keys = bank.keys
        return State(
            bank_bytes=bank.num_bytes,
            bank_limit_bytes=bank.budget_bytes,
            adapters=len(keys),
            versions=len({key.version for key in keys}),
            hits=bank.hits,
            misses=bank.misses,
            evictions=bank.evictions,
            stand_ins=self.lookup.stand_ins,
            redis=None if cache is None else Redis(cache.is_up, cache.stats.errors),
            store_is_up=self._source.store_is_up,
            memory=_memory(self.backend.backbone.device),
            trunk=self._trunk,
        )

    def close(self) -> None:
        """Let the threads go."""
        self.lookup.close()
        self.bank.close()

    def _preload(self, tasks: Iterable[str]) -> list[Resident]:
        rows = [Row(Query(b"", task)) for task in tasks]
        self.lookup.choose(rows, Deadline.after(PRELOAD_LOOK_UP_S))
        found = pending(rows)
        with self.bank.lease(row.key for row in found) as lease:
            lease.wait(PRELOAD_PATIENCE_S)
            found = equip(found, lease.residents)
        for row in rows:
            if not row.is_pending:
                _log.warning("task %s is not preloaded: %s", row.query.task, row.outcome)
        return [row.resident for row in found]


def _memory(device: torch.device) -> Memory | None:
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return Memory(total - free, total)


def usual_example(spec: BackboneSpec) -> Example:
    """Return what rows of this backbone's adapters most likely look like."""
    averaged = spec.pooling == "mean-with-prompts"
    form = Form(USUAL_PROMPTS if averaged else 0, False, spec.pooling, spec.final_norm)
    return Example(form, USUAL_PROMPTS)
