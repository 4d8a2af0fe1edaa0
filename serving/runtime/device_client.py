"""A front's view of the device process: asks, waits, and begins anew when that has ended.

Safe for many threads; knows no torch. Whatever was asked of a device process that has ended is
answered with `DeviceAway`, which helps to be asked again.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Condition, Thread
from typing import Final, NamedTuple

from pydantic import ValidationError

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import Picture
from serving.deadline import Deadline
from serving.errors import DeviceAway, Refused
from serving.inference.description import Description
from serving.protocol import Answer, TaskPage
from serving.rows.draws import digest_of
from serving.rows.listing import Listing
from serving.rows.query import Outcome, Query
from serving.runtime.connection import Connection
from serving.runtime.link import Link
from serving.runtime.messages import Ask, AskedRow, Describe, ListTasks, Probe, Seated, Told

_AGAIN_S: Final = 0.05

_log = logging.getLogger(__name__)


class Seats(NamedTuple):
    """The answer to `DeviceClient.seat`.

    Attributes:
        call: its number, on this connection.
        connection: that it was asked on.
        rows: for each query the rule for its image, or why it is refused.
    """

    call: int
    connection: Connection
    rows: Sequence[Preprocessing | Exception]


class DeviceClient:
    """The device process, as a front sees it.

    Args:
        folder: of the launch that both belong to.
        patience_s: how long a call waits for a device process that is being started.
    """

    def __init__(self, folder: Path, patience_s: float) -> None:
        self._folder = folder
        self._patience_s = patience_s
        self._connection: Connection | None = None
        self._drawing: set[str] = set()
        self._changed = Condition()
        self._is_open = True
        Thread(target=self._stay_connected, name="device link", daemon=True).start()

    def wait_until_ready(self, patience_s: float) -> None:
        """Wait for a warm device process.

        Raises:
            DeviceAway: there is none.
        """
        self._connected(patience_s)

    def seat(self, queries: Sequence[Query], deadline: Deadline) -> Seats:
        """Have versions chosen and adapters leased.

        Raises:
            DeviceAway: the device process has ended.
        """
        connection = self._connected(self._patience_s)
        seated = self._ask_seats(connection, queries, deadline)
        while seated.drawing:  # tasks whose canaries are new to this front
            self._drawing |= seated.drawing
            seated = self._ask_seats(connection, queries, deadline)
        found = [seated.rules[one] if isinstance(one, int) else Refused(one) for one in seated.rows]
        return Seats(seated.call, connection, found)

    def compute(
        self, seats: Seats, pictures: Mapping[int, Picture], deadline: Deadline
    ) -> dict[int, Outcome]:
        """Have rows computed; those without a picture are given up.

        Args:
            seats: theirs.
            pictures: by the rows' places; the same one may be several rows'.
            deadline: until when the outcomes are waited for.

        Raises:
            DeviceAway: the device process has ended, or does not answer in time.
        """
        if not pictures:
            seats.connection.forget(seats.call)
            return {}
        outcomes = seats.connection.compute(seats.call, pictures, deadline)
        return {
            place: found if isinstance(found, Answer) else Refused(found)
            for place, found in outcomes.rows.items()
        }

    def forget(self, seats: Seats) -> None:
        """Give up a call whose rows will get no pictures."""
        seats.connection.forget(seats.call)

    def probe(self, patience_s: float) -> None:
        """Have one row of nothing computed, through the device's queue.

        Raises:
            DeviceAway: the device process has ended, or does not answer in time.
            Refused: it could not be computed.
        """
        self._told(Probe, patience_s)

    def describe(self, tasks: Iterable[str] | None, patience_s: float) -> Description:
        """Return what is served and where it is: of these tasks, or of all; errors as `probe`."""
        named = None if tasks is None else tuple(tasks)
        text = self._told(partial(Describe, tasks=named), patience_s)
        return Description.model_validate_json(text or "")

    def list_tasks(self, listing: Listing, patience_s: float) -> TaskPage:
        """Return some of the tasks, or one of them with its classes; errors as `probe`."""
        text = self._told(partial(ListTasks, listing=listing), patience_s)
        return TaskPage.model_validate_json(text or "")

    def close(self) -> None:
        """Let the device process go, and begin no other connection."""
        with self._changed:
            self._is_open = False
            connection = self._connection
            self._changed.notify_all()
        if connection is not None:
            connection.close()

    def _ask_seats(
        self, connection: Connection, queries: Sequence[Query], deadline: Deadline
    ) -> Seated:
        ask = Ask(call=connection.next_call(), rows=_rows(queries, frozenset(self._drawing)))
        return connection.ask(ask, Seated, deadline)

    def _told(
        self, question: Callable[..., Probe | Describe | ListTasks], patience_s: float
    ) -> str | None:
        connection = self._connected(self._patience_s)
        told = connection.ask(
            question(call=connection.next_call()), Told, Deadline.after(patience_s)
        )
        if told.error is not None:
            raise Refused(told.error)
        return told.description

    def _connected(self, patience_s: float) -> Connection:
        with self._changed:
            self._changed.wait_for(lambda: self._connection is not None, patience_s)
            if self._connection is None:
                raise DeviceAway("the device is being started; ask again in a moment")
            return self._connection

    def _stay_connected(self) -> None:
        while self._is_open:
            try:
                connection = Connection(Link.to(self._folder))
            except (OSError, EOFError, ValidationError):
                time.sleep(_AGAIN_S)
                continue
            self._hold(connection)
            connection.receive_all()
            self._hold(None)
            if self._is_open:
                _log.warning("the device process has ended; waiting for another one")

    def _hold(self, connection: Connection | None) -> None:
        with self._changed:
            self._connection = connection
            self._changed.notify_all()


def _rows(queries: Sequence[Query], drawing: Collection[str]) -> tuple[AskedRow, ...]:
    """Return queries as they are asked; an image is read only where a canary may answer."""
    images = {id(query.image): query.image for query in queries if query.task in drawing}
    digests = {key: digest_of(image).hex() for key, image in images.items()}
    return tuple(
        AskedRow(
            task=query.task,
            version=query.version,
            top_k=query.top_k,
            extras=query.extras,
            digest=digests[id(query.image)] if query.task in drawing else "",
            trace=query.trace,
        )
        for query in queries
    )
