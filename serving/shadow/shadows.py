"""Computes copies of answered rows with the shadows of their tasks, one small forward at a time.

Whoever owns the device asks for a forward when it has been idle for a moment. So a copy is computed
after its row is answered, and never in its batch. Copies wait in a short queue; what finds no place
is dropped and counted. A shadow is loaded only where nothing has to go for it, and is the first to
go. Whatever it meets stays here. Knows nothing of lookups, processes or HTTP.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from copy import copy
from threading import Lock
from typing import Final, Protocol, runtime_checkable

from adapters.artifact.codec import short
from serving.errors import code_of
from serving.forward.ended import ended
from serving.forward.forward import collect, launch
from serving.observing.observers import OBSERVERS
from serving.protocol import Answer
from serving.rows.query import Query
from serving.rows.resident import AdapterKey, Resident
from serving.rows.row import Row
from serving.shadow.copies import Copy, agree, copy_of, shadow_of
from serving.shadow.tally import Tally
from serving.trunk.backend import Backend

QUIET_S: Final = 0.005
"""For how long nothing was computed, and nothing waited, before a shadow's forward begins."""

MOST_WAITING: Final = 64
MOST_BYTES: Final = 64 << 20
"""Of the pictures of copies that wait."""

ROWS_ON_CPU: Final = 1
ROWS_ELSEWHERE: Final = 8
"""Of one forward: on the CPU more rows take longer, and gain nothing."""

REST: Final = 3.0
"""Times the length of a shadow's forward that pass before the next: it takes a quarter at most."""

RETRY_S: Final = 30.0
"""How long a shadow that cannot be loaded is left alone."""

_LOOK_S: Final = 0.05
"""Before a shadow that is being loaded is looked for again."""

_log = logging.getLogger(__name__)


@runtime_checkable
class SpareRoom(Protocol):
    """The adapters on the device; see `serving.inference.bank.AdapterBank`."""

    def spare_lease(
        self, key: AdapterKey, num_bytes: int
    ) -> AbstractContextManager[Resident | Future[Resident] | None]:
        """Keep an adapter resident, or begin to load it; None where it has no room."""


class Shadows:
    """Copies that wait for the device, and what came of those that it has computed.

    `offer` is safe for many threads; one at a time calls `compute`.

    Args:
        backend: runs the trunk.
        bank: of the adapters.
        clock: seconds that only grow.

    Attributes:
        tally: what came of copies.
    """

    def __init__(
        self, backend: Backend, bank: SpareRoom, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.tally = Tally()
        self._backend = backend
        self._bank = bank
        self._clock = clock
        on_cpu = backend.backbone.device.type == "cpu"
        self._most = ROWS_ON_CPU if on_cpu else ROWS_ELSEWHERE
        self._waiting: deque[Copy] = deque()
        self._num_bytes = 0
        self._lock = Lock()
        self._rests_until = 0.0
        self._loading: set[AdapterKey] = set()
        self._failed: dict[AdapterKey, tuple[float, Exception]] = {}

    @property
    def due_in_s(self) -> float | None:
        """After how many seconds `compute` has something to do, from 0; None if nothing waits."""
        return max(0.0, self._rests_until - self._clock()) if self._waiting else None

    def offer(self, rows: Iterable[Row]) -> None:
        """Copy those of some answered rows that a shadow draws; takes microseconds, raises nothing.

        Args:
            rows: with their residents; their pictures may be overwritten after this.
        """
        for row in rows:
            if row.shadow is not None:
                try:
                    self._offer(row)
                except Exception:  # the rows are answered, whatever becomes of copies
                    _log.exception("a row is not copied")

    def compute(self) -> None:
        """Compute some of the copies that wait, all of one shadow; raises nothing."""
        begin_s = self._clock()
        try:
            is_done = any(self._computed(*one) for one in self._asked().items())
        except Exception:  # a fault of ours costs copies alone
            _log.exception("copies are given up")
            self._drop_all()
            is_done = True
        pause_s = REST * (self._clock() - begin_s) if is_done else _LOOK_S
        self._rests_until = self._clock() + pause_s

    def _offer(self, row: Row) -> None:
        key = shadow_of(row)
        if key is None:
            return
        size = row.picture.pixels.nbytes
        with self._lock:
            is_full = len(self._waiting) >= MOST_WAITING or self._num_bytes + size > MOST_BYTES
            if not is_full:
                self._waiting.append(copy_of(row, key))
                self._num_bytes += size
        if is_full:
            self.tally.add(key, "dropped")

    def _asked(self) -> dict[AdapterKey, int]:
        """Return the shadows that copies wait for, the oldest first, and how large they may be."""
        with self._lock:
            return {one.key: one.adapter_bytes for one in self._waiting}

    def _take(self, key: AdapterKey, most: int = MOST_WAITING) -> list[Copy]:
        with self._lock:
            taken = [one for one in self._waiting if one.key == key][:most]
            gone = set(map(id, taken))
            self._waiting = deque(one for one in self._waiting if id(one) not in gone)
            self._num_bytes -= sum(one.picture.pixels.nbytes for one in taken)
        return taken

    def _computed(self, key: AdapterKey, num_bytes: int) -> bool:
        """Deal with some copies of one shadow; return False if it is still being loaded."""
        retry_at, error = self._failed.get(key, (0.0, None))
        if error is not None and self._clock() < retry_at:
            self._fail_all(key, error)
            return True
        with self._bank.spare_lease(key, num_bytes) as found:
            match found:
                case None:
                    self.tally.add(key, "dropped", len(self._take(key)))
                case Resident():
                    self._forward(key, self._take(key, self._most), found)
                case _:
                    self._await(key, found)
        return not isinstance(found, Future)

    def _await(self, key: AdapterKey, load: "Future[Resident]") -> None:
        """Learn whether a load fails; what it brings is the bank's alone."""
        if key in self._loading:
            return
        self._loading.add(key)

        def note(done: "Future[Resident]") -> None:
            error = None if done.cancelled() else done.exception()
            if isinstance(error, Exception):
                # the copy has no traceback, and so none of the tensors that the load had in hand
                self._failed[key] = self._clock() + RETRY_S, copy(error)
                _log.warning(
                    "%s: the shadow %s cannot be loaded: %s", key.task, short(key.version), error
                )
            self._loading.discard(key)

        load.add_done_callback(note)

    def _forward(self, key: AdapterKey, copies: Sequence[Copy], resident: Resident) -> None:
        fitting = [one for one in copies if one.rule == resident.meta.preprocessing]
        if len(fitting) < len(copies):
            self._tell_rule(key, len(copies) - len(fitting))
        if not fitting:
            return
        begin_s = self._clock()
        rows = [_row(one, resident) for one in fitting]
        launched = launch(self._backend, rows)
        while (again := collect(launched)) is not None:
            launched = again
        self.tally.add_seconds(key, self._clock() - begin_s)
        for one, row in zip(fitting, rows, strict=True):
            outcome = row.hand_over()
            if isinstance(outcome, Answer):
                self.tally.add(key, "same" if agree(one.answer, outcome) else "other")
            else:
                self.tally.add_error(key, code_of(outcome))

    def _tell_rule(self, key: AdapterKey, rows: int) -> None:
        self.tally.add(key, "dropped", rows)
        _log.warning(
            "%s: the rule for pixels of the shadow %s is not that of the version that answers, so "
            "%d copies are dropped; publish it as a canary instead",
            *(key.task, short(key.version), rows),
        )

    def _fail_all(self, key: AdapterKey, error: Exception) -> None:
        """Count the copies of a shadow that cannot be loaded."""
        for one in self._take(key):
            row = Row(Query(b"", key.task), role="shadow", outcome=error)
            row.key = one.key
            OBSERVERS.served(ended([row]))
            self.tally.add_error(key, code_of(error))

    def _drop_all(self) -> None:
        for key in self._asked():
            self.tally.add(key, "dropped", len(self._take(key)))


def _row(one: Copy, resident: Resident) -> Row:
    row = Row(Query(b"", one.key.task, top_k=1), role="shadow")
    row.key, row.resident, row.picture, row.image = one.key, resident, one.picture, id(one)
    return row
