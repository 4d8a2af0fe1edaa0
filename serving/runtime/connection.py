"""One connection of a front to one device process: its calls and its slots, gone when that ends.

A slot is lent with the message that names it, and comes back with the call's outcomes alone: until
then the device may read it, whether or not anybody still waits.
"""

import itertools
import logging
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as OutOfTime
from threading import Lock
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from adapters.images.crop import Picture
from serving.deadline import Deadline
from serving.errors import DecodingTooSlow, DeviceAway
from serving.runtime.link import Link
from serving.runtime.messages import (
    TO_FRONT,
    Ask,
    Compute,
    Describe,
    Forget,
    ListTasks,
    Outcomes,
    Placed,
    Probe,
    Seated,
    Told,
    Welcome,
)
from serving.runtime.slots import Slots
from serving.tracing.lines import told

SLOTS = 128
"""Pictures of one front that the device has at once."""

_Reply = TypeVar("_Reply", Seated, Outcomes, Told)

_log = logging.getLogger(__name__)


class Connection:
    """A device process that is warm.

    Args:
        link: to it.

    Raises:
        EOFError: it has ended; OSError: likewise.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        welcome = TO_FRONT.validate_json(link.receive())
        assert isinstance(welcome, Welcome)
        self._slots = Slots(SLOTS, welcome.slot_bytes)
        link.send_file(self._slots.file)
        self._slots.forget_file()
        self._numbers = itertools.count()
        self._asked: dict[int, Future[Any]] = {}
        self._lent: dict[int, set[int]] = {}
        self._placing = Lock()
        self._has_ended = False
        self._lock = Lock()

    def next_call(self) -> int:
        """Return a number that no other call of this connection has."""
        return next(self._numbers)

    def ask(
        self,
        message: Ask | Compute | Probe | Describe | ListTasks,
        reply: type[_Reply],
        deadline: Deadline,
    ) -> _Reply:
        """Send a message, and wait for its reply.

        Raises:
            DeviceAway: the device process has ended, or does not answer in time.
        """
        answered: Future[_Reply] = Future()
        with self._lock:
            if self._has_ended:
                raise _away()
            self._asked[message.call] = answered
        self._send(message)
        try:
            found = answered.result(deadline.left_s)
        except OutOfTime:
            self.forget(message.call)
            raise DeviceAway("the device does not answer in time; ask again in a moment") from None
        if not isinstance(found, reply):
            raise _away()
        return found

    def compute(self, call: int, pictures: Mapping[int, Picture], deadline: Deadline) -> Outcomes:
        """Put pictures into slots, and wait for the outcomes of their rows.

        Raises:
            DecodingTooSlow: no slot was free in time.
            DeviceAway: as `ask`.
        """
        placed = self._place(pictures, deadline)
        self._lent[call] = {one.slot for one in placed.values()}
        if len(placed) < len(pictures):
            self._take_back(call)
            self.forget(call)
            raise DecodingTooSlow("the device has too many images already; ask again in a moment")
        return self.ask(Compute(call=call, pictures=placed), Outcomes, deadline)

    def forget(self, call: int) -> None:
        """Tell the device process that nobody waits for a call any more."""
        with self._lock:
            self._asked.pop(call, None)
        self._send(Forget(call=call))

    def receive_all(self) -> None:
        """Hand every reply to who waits for it, until the device process ends."""
        try:
            while True:
                self._take_in(TO_FRONT.validate_json(self._link.receive()))
        except (EOFError, OSError):
            pass
        except ValidationError as error:
            _log.error("the device process says what nobody understands: %s", told(error))
        self._end()

    def close(self) -> None:
        """End it; `receive_all` returns."""
        self._link.close()

    def _take_in(self, message: Seated | Outcomes | Told | Welcome) -> None:
        assert not isinstance(message, Welcome)
        if isinstance(message, Outcomes):
            self._take_back(message.call)
        with self._lock:
            waiting = self._asked.pop(message.call, None)
        if waiting is not None:
            waiting.set_result(message)

    def _place(self, pictures: Mapping[int, Picture], deadline: Deadline) -> dict[int, Placed]:
        """Return where pictures are, each distinct one once; fewer if there is no more room.

        One call after the other: calls that hold some slots and wait for more would wait for each
        other for ever.
        """
        if not self._placing.acquire(timeout=deadline.left_s):
            return {}
        try:
            return self._put(pictures, deadline)
        finally:
            self._placing.release()

    def _put(self, pictures: Mapping[int, Picture], deadline: Deadline) -> dict[int, Placed]:
        placed: dict[int, Placed] = {}
        known: dict[int, Placed] = {}
        for place, picture in pictures.items():
            one = known.get(id(picture))
            if one is None:
                slot = self._slots.put(picture.pixels, deadline)
                if slot is None:
                    break
                height, width, _ = picture.pixels.shape
                one = Placed(slot=slot, height=height, width=width, is_whole=picture.is_whole)
                known[id(picture)] = one
            placed[place] = one
        return placed

    def _take_back(self, call: int) -> None:
        for slot in self._lent.pop(call, ()):
            self._slots.give_back(slot)

    def _send(self, message: BaseModel) -> None:
        try:
            self._link.send(message.model_dump_json().encode())
        except OSError:
            self._link.close()  # whoever receives learns it, too

    def _end(self) -> None:
        with self._lock:
            self._has_ended = True
            waiting = list(self._asked.values())
            self._asked.clear()
        self._link.close()
        for one in waiting:
            one.set_exception(_away())


def _away() -> DeviceAway:
    return DeviceAway("the device process has ended, and another one begins; ask again in a moment")
