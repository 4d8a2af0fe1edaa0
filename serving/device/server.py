"""The device, for fronts in other processes: listens at a socket, and answers their messages.

A front that ends takes its calls with it: what waits is dropped, and its adapters are let go.
"""

import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from pydantic import BaseModel, ValidationError

from adapters.artifact.preprocessing import Preprocessing
from adapters.images.crop import Picture
from serving.device.device import Call, Device
from serving.errors import to_wire
from serving.inference.core import Core
from serving.protocol import Answer, ErrorBody
from serving.rows.query import Outcome, Query
from serving.runtime.link import Link
from serving.runtime.messages import (
    TO_DEVICE,
    Ask,
    Compute,
    Describe,
    Forget,
    ListTasks,
    Outcomes,
    Placed,
    Probe,
    Seated,
    ToDevice,
    Told,
    Welcome,
)
from serving.runtime.place import SOCKET, address_in
from serving.runtime.slots import SharedSlots

_SEATED_AT_ONCE: Final = 16
"""Calls of one front that may wait for cold adapters at the same time."""

_log = logging.getLogger(__name__)


class DeviceServer:
    """Takes fronts in.

    Args:
        device: that they share.
        core: what it computes with.
        folder: of the launch, where fronts come; a socket that is there is replaced.
        probe: computes one row of nothing; raises what keeps it from that.
        largest_side: of an image, in pixels, that is left to the device to crop.
    """

    def __init__(
        self,
        device: Device,
        core: Core,
        folder: Path,
        probe: Callable[[], None],
        largest_side: int = 0,
    ) -> None:
        self._device = device
        self._slot_bytes = 3 * max(core.backend.backbone.spec.image_size, largest_side) ** 2
        self._core = core
        self._probe = probe
        self._ear = socket.socket(socket.AF_UNIX)
        (folder / SOCKET).unlink(missing_ok=True)
        before = os.umask(0o177)  # for us alone
        try:
            with address_in(folder) as address:
                self._ear.bind(address)
        finally:
            os.umask(before)
        self._ear.listen()
        self._fronts: set[_Front] = set()

    def serve(self) -> None:
        """Take fronts in until `close`."""
        while True:
            try:
                end, _ = self._ear.accept()
            except OSError:  # closed
                return
            front = _Front(Link(end), self._device, self._core, self._probe, self._slot_bytes)
            self._fronts.add(front)
            Thread(target=self._serve, args=(front,), name="front", daemon=True).start()

    def close(self) -> None:
        """Let all fronts go, and take no more in."""
        with suppress(OSError):
            self._ear.shutdown(socket.SHUT_RDWR)
        self._ear.close()
        for front in list(self._fronts):
            front.close()

    def _serve(self, front: "_Front") -> None:
        front.serve()
        self._fronts.discard(front)


class _Front:
    """One front's end of its link."""

    def __init__(
        self,
        link: Link,
        device: Device,
        core: Core,
        probe: Callable[[], None],
        slot_bytes: int,
    ) -> None:
        self._slot_bytes = slot_bytes
        self._link = link
        self._device = device
        self._core = core
        self._probe = probe
        self._calls: dict[int, Call | None] = {}
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(_SEATED_AT_ONCE, "seat")
        self._sender = ThreadPoolExecutor(1, "outcomes")

    def serve(self) -> None:
        """Answer until the front is gone."""
        try:
            self._send(Welcome(slot_bytes=self._slot_bytes))
            self._slots = SharedSlots(self._link.receive_file(), self._slot_bytes)
            while True:
                self._answer(TO_DEVICE.validate_json(self._link.receive()))
        except (EOFError, OSError):
            pass  # it has ended, or was ended
        except (ValidationError, ValueError) as error:
            _log.error("a front says what nobody understands, and is let go: %s", error)
        finally:
            self._end()

    def close(self) -> None:
        """End the link; `serve` returns."""
        self._link.close()

    def _answer(self, message: ToDevice) -> None:
        match message:
            case Ask():
                self._calls[message.call] = None
                self._pool.submit(self._seat, message)
            case Compute():
                self._compute(message)
            case Forget():
                self._forget(message.call)
            case Probe():
                self._pool.submit(self._tell, message.call, self._probed)
            case Describe():
                self._pool.submit(self._tell, message.call, partial(self._described, message))
            case ListTasks():
                task = message.listing.task
                self._pool.submit(self._tell, message.call, partial(self._listed, message), task)

    def _seat(self, ask: Ask) -> None:
        queries = [
            Query(b"", row.task, row.top_k, row.version, row.extras, row.trace) for row in ask.rows
        ]
        try:
            call = self._device.seat(queries, [bytes.fromhex(row.digest) for row in ask.rows])
        except Exception as error:  # a fault of ours costs this call, and no other
            body = to_wire(error, None)
            self._send(Seated(call=ask.call, rules=(), rows=(body,) * len(queries)))
            return
        drawing = call.drawing()
        with self._lock:
            is_wanted = ask.call in self._calls
            if is_wanted and not drawing:
                self._calls[ask.call] = call
        if not is_wanted:  # given up meanwhile
            call.close()
            return
        if drawing:
            call.close()
            self._forget(ask.call)
            self._send(Seated(call=ask.call, rules=(), rows=(), drawing=drawing))
            return
        found = call.rules()
        rules = tuple(dict.fromkeys(rule for rule in found if isinstance(rule, Preprocessing)))
        rows = tuple(
            rules.index(one) if isinstance(one, Preprocessing) else to_wire(one, query.task)
            for one, query in zip(found, queries, strict=True)
        )
        self._send(Seated(call=ask.call, rules=rules, rows=rows))

    def _compute(self, message: Compute) -> None:
        call = self._calls.get(message.call)
        if call is None:
            raise ValueError(f"pictures for call {message.call}, which has no seats")
        distinct = {one.slot: self._picture(one) for one in message.pictures.values()}
        pictures = {place: distinct[one.slot] for place, one in message.pictures.items()}
        outcomes = self._device.compute(call, pictures)
        outcomes.add_done_callback(partial(self._let_send, message.call, call))

    def _let_send(self, number: int, call: Call, done: Future[dict[int, Outcome]]) -> None:
        """Have outcomes sent; the device's thread waits for no front that does not read."""
        with suppress(RuntimeError):  # the front is gone
            self._sender.submit(self._send_outcomes, number, call, done)

    def _picture(self, placed: Placed) -> Picture:
        pixels = self._slots.pixels(placed.slot, placed.height, placed.width)
        return Picture(pixels, placed.is_whole)

    def _send_outcomes(self, number: int, call: Call, done: Future[dict[int, Outcome]]) -> None:
        self._calls.pop(number, None)
        rows: dict[int, Answer | ErrorBody] = {
            place: found
            if isinstance(found, Answer)
            else to_wire(found, call.rows[place].query.task)
            for place, found in done.result().items()
        }
        self._send(Outcomes(call=number, rows=rows))

    def _forget(self, number: int) -> None:
        with self._lock:
            call = self._calls.pop(number, None)
        if call is not None:
            self._device.forget(call)

    def _tell(self, number: int, say: Callable[[], str | None], task: str | None = None) -> None:
        try:
            told = Told(call=number, description=say())
        except Exception as error:
            told = Told(call=number, error=to_wire(error, task))
        self._send(told)

    def _probed(self) -> None:
        self._device.run(self._probe).result()

    def _described(self, message: Describe) -> str:
        return self._core.describe(message.tasks).model_dump_json()

    def _listed(self, message: ListTasks) -> str:
        return self._core.list_tasks(message.listing).model_dump_json()

    def _send(self, message: BaseModel) -> None:
        with suppress(OSError):  # whoever reads learns that the front is gone
            self._link.send(message.model_dump_json().encode())

    def _end(self) -> None:
        self._link.close()
        for number in list(self._calls):
            self._forget(number)
        self._pool.shutdown(wait=False)
        self._sender.shutdown(wait=False)
