"""How much one process of the front holds at once: what does not fit is refused, never queued.

For one event loop: nothing here is locked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from serving.errors import BadParameter, ServiceBusy

_COPIES: Final = 2
"""Of a body: its chunks, and the image that they are joined to."""


class Room:
    """Room for bodies and rows.

    Args:
        memory_bytes: that bodies may take.
        body_bytes: of the largest body; as many rows have room as bodies of this size.
    """

    def __init__(self, memory_bytes: int, body_bytes: int) -> None:
        self._bytes_left = max(memory_bytes // _COPIES, body_bytes)
        self._rows_left = self._most_rows = self._bytes_left // body_bytes

    @contextmanager
    def loan(self) -> Iterator["Loan"]:
        """Yield a share of the room, nothing at first; it is given back at the end."""
        loan = Loan(self)
        try:
            yield loan
        finally:
            self.take(-loan.num_bytes, -loan.num_rows)

    def take(self, num_bytes: int, num_rows: int) -> None:
        """Give some of the room away, or take it back; see `Loan.add`."""
        if num_rows > self._most_rows:
            raise BadParameter(
                f"{num_rows} images times tasks in one call, this service has room for "
                f"{self._most_rows}; split it"
            )
        if num_bytes > self._bytes_left or num_rows > self._rows_left:
            raise ServiceBusy("the service holds as many requests as it may; ask again in a moment")
        self._bytes_left -= num_bytes
        self._rows_left -= num_rows


class Loan:
    """What one call holds.

    Attributes:
        num_bytes: of its body.
        num_rows: that the engine is asked.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self.num_bytes = 0
        self.num_rows = 0

    def add(self, *, num_bytes: int = 0, num_rows: int = 0) -> None:
        """Hold more.

        Raises:
            ServiceBusy: there is no room for it.
            BadParameter: there never will be, for so many rows.
        """
        self._room.take(num_bytes, num_rows)
        self.num_bytes += num_bytes
        self.num_rows += num_rows
