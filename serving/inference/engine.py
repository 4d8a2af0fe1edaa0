"""All inference logic: queries of any tasks in, answers or errors out, in order.

Knows nothing of HTTP or TorchServe.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, TypeVar

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.artifact.image_limits import ImageLimits
from adapters.cache.cached_store import CachedStore
from serving.config import DECODE_THREADS
from serving.inference.bank import AdapterBank, AdapterKey
from serving.inference.decoder import Decoder, Wanted
from serving.inference.describe import describe
from serving.inference.description import Description
from serving.inference.forward import Launched, Outcome, Row, collect, launch
from serving.inference.lease import Lease
from serving.inference.lookup import Asked, Lookup
from serving.inference.resident import Resident
from serving.trunk.backend import Backend, Example, Form
from serving.trunk.lost_device import probe

_Value = TypeVar("_Value")
_log = logging.getLogger(__name__)

USUAL_PROMPTS: Final = 20
"""The paper's number of deep prompts per block."""

PRELOAD_PATIENCE_S: Final = 60.0


@dataclass(frozen=True)
class Query:
    """One image asked about one task.

    Attributes:
        image: encoded; queries that share the object share its decoding.
        task: task id.
        top_k: at most so many labels are answered.
        version: hex digits of the version to use, or None for the current one.
    """

    image: bytes
    task: str
    top_k: int = 5
    version: str | None = None


class Engine:
    """One frozen backbone answering for every task of a store.

    Args:
        backend: runs the trunk.
        source: where tasks' versions and artifacts are looked up.
        bank: resident adapters.
        limits: of one image.
        max_batch: rows of one forward.
        decode_threads: images decoded side by side.
        patience_s: how long the rows of a cold task wait for its adapter before they are
            answered with `AdapterLoading`; the other rows of a batch wait with them.
        pinned: tasks whose current version is never evicted.
    """

    def __init__(  # noqa: PLR0913
        self,
        backend: Backend,
        source: CachedStore,
        bank: AdapterBank,
        *,
        limits: ImageLimits = ImageLimits(),  # noqa: B008 (frozen)
        max_batch: int = 32,
        decode_threads: int = DECODE_THREADS,
        patience_s: float = 2.0,
        pinned: Collection[str] = (),
    ) -> None:
        self._backend = backend
        self._source = source
        self._bank = bank
        self._lookup = Lookup(source, bank, pinned)
        self._max_batch = max_batch
        self._decoder = Decoder(limits, decode_threads)
        self._patience_s = patience_s

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        """Answer every query; one that fails gets its error and touches no other.

        Adapters that are missing load while the rows of those that are there are answered. Where
        one cannot be loaded and the query named no version, an earlier version answers.
        """
        outcomes: dict[int, Outcome] = {}
        launched: list[Launched] = []
        asked = {i: Asked(q.task, q.version, q.image) for i, q in enumerate(queries)}
        keys = _sort_out(self._lookup.keys_of(asked), outcomes)
        with ExitStack() as leases:
            while keys:
                lease = leases.enter_context(self._bank.lease(keys.values()))
                launched += self._launch_all(queries, keys, lease, outcomes)
                keys = self._second_best(queries, keys, lease.failed)
            for forward in launched:
                outcomes |= collect(forward)
        return [outcomes[i] for i in range(len(queries))]

    def warm_up(self, preload: Iterable[str] = ()) -> None:
        """Load adapters, then do everything slow that the first requests would wait for.

        Args:
            preload: tasks to make resident beside the pinned ones; one that cannot be loaded is
                logged and left to its first request.
        """
        examples = {_usual(self._backend.backbone.spec)}
        for task in dict.fromkeys([*sorted(self._lookup.pinned), *preload]):
            resident = self._preload(task)
            if resident is not None:
                examples.add(Example(resident.form, resident.num_prompts))
        self._backend.warm_up(sorted(examples))

    def probe(self) -> None:
        """Compute one row of nothing; raise what that raises, `DeviceLost` among it."""
        probe(self._backend, _usual(self._backend.backbone.spec))

    def describe(self, tasks: Iterable[str] | None = None) -> Description:
        """Return what is served and where it is: of these tasks, or of all."""
        fallback = self._lookup.fallback
        return describe(self._backend.backbone, self._source, self._bank, fallback, tasks)

    def close(self) -> None:
        """Let the threads go."""
        self._decoder.close()
        self._bank.close()

    def _preload(self, task: str) -> Resident | None:
        found: Resident | Exception
        key = self._lookup.keys_of({0: Asked(task)})[0]
        if isinstance(key, Exception):
            found = key
        else:
            with self._bank.lease([key]) as lease:
                lease.wait(PRELOAD_PATIENCE_S)
                found = lease.residents[key]
        if isinstance(found, Resident):
            return found
        _log.warning("task %s is not preloaded: %s", task, found)
        return None

    def _launch_all(
        self,
        queries: Sequence[Query],
        keys: Mapping[int, AdapterKey],
        lease: Lease,
        outcomes: dict[int, Outcome],
    ) -> list[Launched]:
        """Start the forwards of the rows that are ready, then of those that had to wait."""
        warm = {i: lease.residents[k] for i, k in keys.items() if k in lease.residents}
        launched = self._launch(queries, keys, warm, outcomes)
        lease.wait(self._patience_s)
        late = {i: lease.residents[k] for i, k in keys.items() if i not in warm}
        return launched + self._launch(queries, keys, late, outcomes)

    def _second_best(
        self,
        queries: Sequence[Query],
        keys: Mapping[int, AdapterKey],
        failed: Mapping[AdapterKey, Exception],
    ) -> dict[int, AdapterKey]:
        """Return another version for the rows whose own failed and which named none."""
        rows = {i: key for i, key in keys.items() if key in failed and queries[i].version is None}
        instead = self._lookup.fallback.instead_of
        others = {key: instead(key, failed[key]) for key in set(rows.values())}
        return {i: other for i, key in rows.items() if (other := others[key]) is not None}

    def _launch(
        self,
        queries: Sequence[Query],
        keys: Mapping[int, AdapterKey],
        found: Mapping[int, Resident | Exception],
        outcomes: dict[int, Outcome],
    ) -> list[Launched]:
        """Start the forwards of some queries; each waits only for its own images."""
        residents = _sort_out(found, outcomes)
        wanted = [Wanted(queries[i].image, r.meta.preprocessing) for i, r in residents.items()]
        decodings = dict(zip(residents, self._decoder.start(wanted), strict=True))
        forwards = []
        for chunk in self._chunks(residents):
            pixels = _sort_out({i: decodings[i].result() for i in chunk}, outcomes)
            rows = [Row(i, queries[i].top_k, keys[i], residents[i], p) for i, p in pixels.items()]
            if rows:
                forwards.append(launch(self._backend, rows, self._bank.make_room))
        return forwards

    def _chunks(self, residents: Mapping[int, Resident]) -> list[list[int]]:
        """Split rows into forwards: of one form, and not too many."""
        alike: dict[Form, list[int]] = defaultdict(list)
        for i, resident in residents.items():
            alike[resident.form].append(i)
        return [
            rows[start : start + self._max_batch]
            for rows in alike.values()
            for start in range(0, len(rows), self._max_batch)
        ]


def _usual(spec: BackboneSpec) -> Example:
    """Return what adapters of this backbone most likely look like."""
    averaged = spec.pooling == "mean-with-prompts"
    form = Form(USUAL_PROMPTS if averaged else 0, False, spec.pooling, spec.final_norm)
    return Example(form, USUAL_PROMPTS)


def _sort_out(
    found: Mapping[int, _Value | Exception],
    outcomes: dict[int, Outcome],
) -> dict[int, _Value]:
    """Put errors at their own places among the outcomes; return what is good."""
    good: dict[int, _Value] = {}
    for position, value in found.items():
        if isinstance(value, Exception):
            outcomes[position] = value
        else:
            good[position] = value
    return good
