"""All inference logic: queries of any tasks in, answers or errors out, in order.

Knows nothing of HTTP or TorchServe.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Final

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.cache.cached_store import CachedStore
from serving.deadline import Deadline
from serving.decoding.decoder import Decoder, DecoderSettings
from serving.inference.bank import AdapterBank, Lease
from serving.inference.chunks import chunks
from serving.inference.describe import describe
from serving.inference.description import Description
from serving.inference.forward import Launched, collect, launch
from serving.inference.lookup import Lookup
from serving.inference.resident import AdapterKey, Resident
from serving.inference.row import Outcome, Query, Row, pending
from serving.trunk.backend import Backend, Example, Form
from serving.trunk.lost_device import probe

__all__ = ["Engine", "Outcome", "Query"]

_log = logging.getLogger(__name__)

USUAL_PROMPTS: Final = 20
"""The paper's number of deep prompts per block."""

SEARCH_S: Final = 0.5
"""Least time for a stand-in to be found, though the batch's images took all of its patience."""

LOOK_UP_S: Final = 2.0
"""Least time for a batch to learn which versions its tasks have."""

PRELOAD_LOOK_UP_S: Final = 10.0
PRELOAD_PATIENCE_S: Final = 60.0
PRELOADED_AT_ONCE: Final = 32
"""Tasks that are loaded side by side; what is leased at once may exceed the bank's budget."""

MAX_STAND_INS: Final = 2
"""Other versions tried for one row, at most; it then gets its error, and the next may get more."""


class Engine:
    """One frozen backbone answering for every task of a store.

    Args:
        backend: runs the trunk.
        source: where tasks' versions and artifacts are looked up.
        bank: resident adapters.
        decoding: what decoding images may cost.
        max_batch: rows of one forward.
        patience_s: how long a batch waits in all for adapters that are cold or stand in; rows
            whose adapter takes longer are answered with `AdapterLoading`.
        pinned: tasks whose current version is never evicted.
    """

    def __init__(  # noqa: PLR0913
        self,
        backend: Backend,
        source: CachedStore,
        bank: AdapterBank,
        *,
        decoding: DecoderSettings = DecoderSettings(),  # noqa: B008 (frozen)
        max_batch: int = 32,
        patience_s: float = 2.0,
        pinned: Collection[str] = (),
    ) -> None:
        self._backend = backend
        self._source = source
        self._bank = bank
        self._pinned = sorted(pinned)
        self._lookup = Lookup(source, bank, pinned)
        self._decoder = Decoder(decoding)
        self._decode_patience_s = decoding.patience_s
        self._max_batch = max_batch
        self._patience_s = patience_s

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        """Answer every query; one that fails gets its error and touches no other.

        Adapters that are missing load while the rows of those that are there are answered. Where
        one cannot be loaded and the query named no version, an earlier version answers.
        """
        deadline = Deadline.after(self._patience_s)
        decoded_by = Deadline.after(self._decode_patience_s)
        rows = [Row(query) for query in queries]
        self._lookup.choose(rows, deadline.at_least(LOOK_UP_S))
        launched: list[Launched] = []
        failed: dict[AdapterKey, Exception] = {}
        with ExitStack() as leases:  # all of them last until the device has answered
            waiting = pending(rows)
            for stand_ins_left in range(MAX_STAND_INS, -1, -1):
                lease = leases.enter_context(self._bank.lease(row.key for row in waiting))
                launched += self._launch_all(waiting, lease, deadline, decoded_by)
                failed |= lease.failed
                if not (failed and stand_ins_left):
                    break
                searched_by = deadline.at_least(SEARCH_S)
                waiting = self._lookup.choose_again(waiting, failed, searched_by)
            for forward in launched:
                collect(forward)
        return [row.hand_over() for row in rows]

    def warm_up(self, preload: Iterable[str] = ()) -> None:
        """Load adapters, then do everything slow that the first requests would wait for.

        Args:
            preload: tasks to make resident together with the pinned ones; one that cannot be
                loaded is logged and left to its first request.
        """
        examples = {_usual(self._backend.backbone.spec)}
        tasks = list(dict.fromkeys([*self._pinned, *preload]))
        for start in range(0, len(tasks), PRELOADED_AT_ONCE):
            for resident in self._preload(tasks[start : start + PRELOADED_AT_ONCE]):
                examples.add(Example(resident.form, resident.num_prompts))
        self._backend.warm_up(sorted(examples))

    def probe(self) -> None:
        """Compute one row of nothing; raise what that raises, `DeviceLost` among it."""
        probe(self._backend, _usual(self._backend.backbone.spec))

    def describe(self, tasks: Iterable[str] | None = None) -> Description:
        """Return what is served and where it is: of these tasks, or of all."""
        return describe(self._backend.backbone, self._source, self._bank, self._lookup, tasks)

    def close(self) -> None:
        """Let the threads go."""
        self._decoder.close()
        self._lookup.close()
        self._bank.close()

    def _preload(self, tasks: Iterable[str]) -> list[Resident]:
        rows = [Row(Query(b"", task)) for task in tasks]
        self._lookup.choose(rows, Deadline.after(PRELOAD_LOOK_UP_S))
        found = pending(rows)
        with self._bank.lease(row.key for row in found) as lease:
            lease.wait(PRELOAD_PATIENCE_S)
            found = _equip(found, lease.residents)
        for row in rows:
            if not row.is_pending:
                _log.warning("task %s is not preloaded: %s", row.query.task, row.outcome)
        return [row.resident for row in found]

    def _launch_all(
        self, rows: Sequence[Row], lease: Lease, deadline: Deadline, decoded_by: Deadline
    ) -> list[Launched]:
        """Start the forwards of the rows that are ready, then of those that had to wait."""
        ready = [row for row in rows if row.key in lease.residents]
        late = [row for row in rows if row.key in lease.loads]
        launched = self._launch(_equip(ready, lease.residents), decoded_by)
        if late:
            lease.wait(deadline.left_s)
            launched += self._launch(_equip(late, lease.residents), decoded_by)
        return launched

    def _launch(self, rows: Sequence[Row], decoded_by: Deadline) -> list[Launched]:
        """Start the forwards of rows that have residents; each waits only for its own images."""
        start_decoding(self._decoder, rows)
        make_room = self._bank.make_room
        on_cpu = self._backend.backbone.device.type == "cpu"
        ready = (
            decoded(self._decoder, chunk, decoded_by)
            for chunk in chunks(rows, self._max_batch, apart=on_cpu)
        )
        return [launch(self._backend, chunk, make_room) for chunk in ready if chunk]


def _equip(rows: Sequence[Row], residents: Mapping[AdapterKey, Resident | Exception]) -> list[Row]:
    """Give each row its adapter, or the error that it ends with; return those that go on."""
    for row in rows:
        found = residents[row.key]
        if isinstance(found, Exception):
            row.outcome = found
        else:
            row.resident = found
    return pending(rows)


def start_decoding(decoder: Decoder, rows: Sequence[Row]) -> None:
    """Begin to decode the images of rows that have residents, each distinct one once."""
    alike: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        alike[id(row.query.image)].append(row)
    for same in alike.values():
        rules = {row.resident.meta.preprocessing for row in same}
        decoding = decoder.start(same[0].query.image, rules)
        for row in same:
            row.decoding = decoding


def decoded(decoder: Decoder, rows: Sequence[Row], deadline: Deadline) -> list[Row]:
    """Wait for the images of rows; return those that have pictures, the others have ended."""
    found = decoder.finish({row.decoding for row in rows}, deadline)
    for row in rows:
        pictures = found[row.decoding]
        if isinstance(pictures, dict):
            row.picture = pictures[row.resident.meta.preprocessing]
        else:
            row.outcome = pictures
    return pending(rows)


def _usual(spec: BackboneSpec) -> Example:
    """Return what adapters of this backbone most likely look like."""
    averaged = spec.pooling == "mean-with-prompts"
    form = Form(USUAL_PROMPTS if averaged else 0, False, spec.pooling, spec.final_norm)
    return Example(form, USUAL_PROMPTS)
