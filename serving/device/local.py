"""A device in the front's own process: the same calls as to another process', without messages."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import Picture
from serving.deadline import Deadline
from serving.device.device import Call, Device
from serving.errors import DeviceAway
from serving.inference.core import Core
from serving.inference.description import Description
from serving.protocol import TaskPage
from serving.rows.listing import Listing
from serving.rows.query import Outcome, Query


class LocalSeats(NamedTuple):
    """The answer to `LocalDevice.seat`.

    Attributes:
        call: as the device knows it.
        rows: for each query the rule for its image, or why it is refused.
    """

    call: Call
    rows: Sequence[Preprocessing | Exception]


class LocalDevice:
    """The device, for a front engine that shares its process; safe for many threads.

    Args:
        device: computes.
        core: what it computes with; closed with it.
    """

    def __init__(self, device: Device, core: Core) -> None:
        self._device = device
        self._core = core

    def seat(self, queries: Sequence[Query], _: Deadline) -> LocalSeats:
        """Have versions chosen and adapters leased; the device has a patience of its own."""
        call = self._device.seat(queries, [None] * len(queries))
        return LocalSeats(call, call.rules())

    def compute(
        self, seats: LocalSeats, pictures: Mapping[int, Picture], deadline: Deadline
    ) -> dict[int, Outcome]:
        """Have rows computed; those without a picture are given up.

        Args:
            seats: theirs.
            pictures: by the rows' places.
            deadline: until when the outcomes are waited for.

        Raises:
            DeviceAway: the device does not answer in time.
        """
        outcomes = self._device.compute(seats.call, pictures)
        try:
            return outcomes.result(deadline.left_s)
        except TimeoutError:
            self._device.forget(seats.call)
            raise DeviceAway("the device does not answer in time; ask again") from None

    def forget(self, seats: LocalSeats) -> None:
        """Give up a call whose rows will get no pictures."""
        self._device.forget(seats.call)

    def probe(self, patience_s: float) -> None:
        """Have one row of nothing computed, between others; raise what keeps it from that."""
        self._device.run(self._core.probe).result(patience_s)

    def describe(self, tasks: Iterable[str] | None, _: float) -> Description:
        """Return what is served and where it is: of these tasks, or of all."""
        return self._core.describe(tasks)

    def list_tasks(self, listing: Listing, _: float) -> TaskPage:
        """Return a page of the tasks that a caller may ask, or one of them with its classes."""
        return self._core.list_tasks(listing)

    def close(self) -> None:
        """Let the device and its adapters go."""
        self._device.close()
        self._core.close()
