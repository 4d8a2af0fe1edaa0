"""All inference logic: queries of any tasks in, answers or errors out, in order.

Knows nothing of HTTP or TorchServe.
"""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from serving.deadline import Deadline
from serving.decoding.decoder import Decoder, DecoderSettings
from serving.forward.chunks import chunks
from serving.forward.forward import Launched, collect, launch
from serving.inference.core import Core
from serving.inference.description import Description
from serving.observing.observers import OBSERVERS
from serving.protocol import TaskPage
from serving.rows.listing import Listing
from serving.rows.query import Outcome, Query
from serving.rows.row import Row, pending

__all__ = ["Engine", "Outcome", "Query"]


class Engine:
    """One frozen backbone answering for every task of a store.

    Args:
        core: trunk, bank and lookup.
        decoding: what decoding images may cost.
        max_batch: rows of one forward.
        patience_s: how long a batch waits in all for adapters that are cold or stand in; rows
            whose adapter takes longer are answered with `AdapterLoading`.

    Attributes:
        core: see above.
    """

    def __init__(
        self,
        core: Core,
        *,
        decoding: DecoderSettings = DecoderSettings(),  # noqa: B008 (frozen)
        max_batch: int = 32,
        patience_s: float = 2.0,
    ) -> None:
        self.core = core
        self._decoder = Decoder(decoding)
        self._decode_patience_s = decoding.patience_s
        self._max_batch = max_batch
        self._patience_s = patience_s

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        """Answer every query; one that fails gets its error and touches no other.

        Adapters that are missing load while the rows of those that are there are answered. Where
        one cannot be loaded and the query named no version, an earlier version answers.
        """
        begin_s, deadline = time.monotonic(), Deadline.after(self._patience_s)
        decoded_by = Deadline.after(self._decode_patience_s)
        rows = [Row(query) for query in queries]
        launched: deque[Launched] = deque()
        with ExitStack() as leases:  # all of them last until the device has answered
            for ready in self.core.seat(rows, leases, deadline):
                launched += self._launch(ready, decoded_by)
            while launched:
                again = collect(launched.popleft())
                launched += [again] if again else []
        outcomes = [row.hand_over() for row in rows]
        OBSERVERS.answered(begin_s, queries, outcomes)
        return outcomes

    def warm_up(self, preload: Iterable[str] = ()) -> None:
        """Load adapters, then do everything slow that the first requests would wait for."""
        self.core.warm_up(preload)

    def probe(self) -> None:
        """Compute one row of nothing; raise what that raises, `DeviceLost` among it."""
        self.core.probe()

    def describe(self, tasks: Iterable[str] | None = None) -> Description:
        """Return what is served and where it is: of these tasks, or of all."""
        return self.core.describe(tasks)

    def list_tasks(self, listing: Listing) -> TaskPage:
        """Return a page of the tasks that a caller may ask, or one of them with its classes."""
        return self.core.list_tasks(listing)

    def close(self) -> None:
        """Let the threads go."""
        self._decoder.close()
        self.core.close()

    def _launch(self, rows: Sequence[Row], decoded_by: Deadline) -> list[Launched]:
        """Start the forwards of rows that have residents; each waits only for its own images."""
        begin_s = time.monotonic()
        start_decoding(self._decoder, rows)
        backend, make_room = self.core.backend, self.core.bank.make_room
        on_cpu = backend.backbone.device.type == "cpu"
        ready = (
            self._decoded(chunk, decoded_by, begin_s)
            for chunk in chunks(
                rows, self._max_batch, apart=on_cpu, forks=backend.forks is not None
            )
        )
        return [launch(backend, chunk, make_room) for chunk in ready if chunk]

    def _decoded(self, rows: Sequence[Row], decoded_by: Deadline, begin_s: float) -> list[Row]:
        found = decoded(self._decoder, rows, decoded_by)
        OBSERVERS.phase("decode", begin_s, (row.query for row in rows))
        return found


def start_decoding(decoder: Decoder, rows: Sequence[Row]) -> None:
    """Begin to decode the images of rows that have residents, each distinct one once."""
    asked = [(row.query.image, row.resident.meta.preprocessing) for row in rows]
    for row, decoding in zip(rows, decoder.start_all(asked), strict=True):
        row.decoding, row.image = decoding, id(decoding)


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
