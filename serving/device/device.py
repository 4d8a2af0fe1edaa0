"""The device: one thread that computes whatever rows wait, of all fronts and tasks together.

A call is one batch of queries of a front. It gets seats: versions, leased adapters, rules for its
images. Then its pixels come, and its rows wait for the device with all others. The device is never
asked to wait for a slow image or a cold adapter. Its thread never sleeps while rows wait: another
one waits for what is computed.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from threading import Lock, Thread

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import Picture
from serving.deadline import Deadline
from serving.device.waiting import WaitingRows
from serving.errors import DeviceAway
from serving.forward.forward import Launched, collect, launch
from serving.inference.core import Core
from serving.rows.draws import DigestWanted
from serving.rows.query import Outcome, Query
from serving.rows.row import Row
from serving.shadow.shadows import QUIET_S

_log = logging.getLogger(__name__)


class Call:
    """The rows of one batch of a front, from their seats to their outcomes."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.leases = ExitStack()
        self.outcomes: Future[dict[int, Outcome]] = Future()
        self._open: dict[Row, int] = {}
        self._lock = Lock()

    def rules(self) -> list[Preprocessing | Exception]:
        """Return how each row's image becomes pixels, or why the row is refused."""
        return [
            row.outcome
            if isinstance(row.outcome, Exception) and not row.is_pending
            else row.resident.meta.preprocessing
            for row in self.rows
        ]

    def drawing(self) -> frozenset[str]:
        """Return the tasks whose rows want the digests of their images."""
        return frozenset(
            row.query.task for row in self.rows if isinstance(row.outcome, DigestWanted)
        )

    def begin(self, places: Iterable[int]) -> list[Row]:
        """Expect the outcomes of these rows, and of no others."""
        self._open = {self.rows[place]: place for place in places}
        self._left = len(self._open)
        return list(self._open)

    def end_row(self, row: Row) -> None:
        """Count a row out; the last one ends the call."""
        with self._lock:
            self._left -= 1
            is_last = self._left == 0
        if is_last:
            found = {place: row.hand_over() for row, place in self._open.items()}
            self.close()
            self.outcomes.set_result(found)

    def close(self) -> None:
        """Let the adapters go."""
        self.leases.close()


class Device:
    """One frozen backbone on one device, which all fronts share; safe for many threads.

    Args:
        core: trunk, bank and lookup; nobody else computes with it.
        max_batch: rows of one forward.
        patience_s: how long a call waits in all for adapters that are cold or stand in.
        judge: told of the outcomes of each forward.
        end: ends the process, should the device's thread meet a fault of ours: without it all wait
            for ever.
    """

    def __init__(
        self,
        core: Core,
        *,
        max_batch: int,
        patience_s: float,
        judge: Callable[[Sequence[Outcome]], None] = lambda _: None,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._core = core
        self._patience_s = patience_s
        self._judge = judge
        self._end = end
        on_cpu = core.backend.backbone.device.type == "cpu"
        self._waiting = WaitingRows(max_batch, apart=on_cpu, forks=core.backend.forks is not None)
        self._calls: dict[Row, Call] = {}
        self._in_flight = 0
        self._awaiting = ThreadPoolExecutor(1, "device is done")
        self._is_open = True
        self._thread = Thread(target=self._work, name="device", daemon=True)
        self._thread.start()

    def seat(self, queries: Sequence[Query], digests: Sequence[bytes | None]) -> Call:
        """Find each query's version, and lease its adapter; waits for cold ones.

        Args:
            queries: with their images, or without.
            digests: of the same queries' images; None for a query that has its own, and empty
                where one is told only if it is wanted: see `Call.drawing`.
        """
        rows = [Row(query, digest=d) for query, d in zip(queries, digests, strict=True)]
        call = Call(rows)
        try:
            deadline = Deadline.after(self._patience_s)
            deque(self._core.seat(rows, call.leases, deadline), maxlen=0)
        except BaseException:
            call.close()
            raise
        return call

    def compute(self, call: Call, pictures: Mapping[int, Picture]) -> Future[dict[int, Outcome]]:
        """Let rows wait for the device; the call ends with the last of them.

        Args:
            call: with seats.
            pictures: of its rows, by their place; rows that are not there are given up. Their
                pixels must stay until the call has ended.
        """
        rows = call.begin(pictures)
        for row, picture in zip(rows, pictures.values(), strict=True):
            row.picture, row.image = picture, id(picture)
        if rows:
            self._calls |= dict.fromkeys(rows, call)
            self._waiting.add(rows)
        else:
            call.close()
            call.outcomes.set_result({})
        return call.outcomes

    def forget(self, call: Call) -> None:
        """Give up a call whose front is gone; what is being computed ends first."""
        for row in self._waiting.drop(call.rows):
            row.outcome = DeviceAway("nobody waits for it any more")
            self._calls.pop(row).end_row(row)
        if not any(row in self._calls for row in call.rows):
            call.close()

    def run(self, job: Callable[[], None]) -> Future[None]:
        """Do something between two forwards, in the device's thread."""
        done: Future[None] = Future()

        def run_it() -> None:
            try:
                job()
            except Exception as error:  # belongs to whoever waits for it
                done.set_exception(error)
            else:
                done.set_result(None)

        self._waiting.add_job(run_it)
        return done

    def close(self) -> None:
        """Let the thread end after what it computes now."""
        self._is_open = False
        self._waiting.add_job(lambda: None)
        self._thread.join()
        self._awaiting.shutdown(wait=False)

    def _work(self) -> None:
        try:
            self._compute_all()
        except BaseException:
            _log.critical("the device's thread has a fault; this process ends", exc_info=True)
            self._end(1)

    def _compute_all(self) -> None:
        while self._is_open:
            found = self._waiting.take(
                rows=self._in_flight < self._core.in_flight, patience_s=self._spare_in_s()
            )
            if found is None:
                self._core.shadows.compute()
            elif callable(found):
                found()
            else:
                self._begin(launch(self._core.backend, found, self._core.bank.make_room))

    def _spare_in_s(self) -> float | None:
        """Return after how long without rows or jobs a shadow has its turn; None if none waits."""
        due_in_s = self._core.shadows.due_in_s
        return None if self._in_flight or due_in_s is None else max(QUIET_S, due_in_s)

    def _begin(self, launched: Launched) -> None:
        """Have a forward finished when it is done; meanwhile this thread prepares the next one."""
        self._in_flight += 1
        self._awaiting.submit(self._await, launched)

    def _await(self, launched: Launched) -> None:
        launched.wait()
        self._waiting.add_job(partial(self._finish, launched))

    def _finish(self, launched: Launched) -> None:
        """End the rows of a forward; begin that of those in doubt."""
        self._in_flight -= 1
        again = collect(launched)
        if again:
            self._begin(again)
        ended = [row for row in launched.rows if not row.is_pending]
        self._judge([row.outcome for row in ended])
        self._core.shadows.offer(ended)  # their pictures are the front's again after this
        for row in ended:
            self._calls.pop(row).end_row(row)
