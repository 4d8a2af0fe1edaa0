"""Memory that a front and the device process share: slots of one size, for one image's pixels each.

The memory has no name, so it is gone with the last process that maps it, however that ends. A slot
is the front's until a message names it, and again when the answer is there.
Axis letters: H W pixels.
"""

import fcntl
import mmap
import os
from threading import Condition
from typing import Final

import numpy as np
from jaxtyping import UInt8

from serving.deadline import Deadline

_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
"""Of the memory's size: a file that shrinks under a reader kills it."""

Pixels = UInt8[np.ndarray, "H W 3"]


class Slots:
    """The front's side: which slots are free.

    Args:
        count: of slots.
        slot_bytes: of each.

    Attributes:
        file: descriptor of the memory, for the device process.
    """

    def __init__(self, count: int, slot_bytes: int) -> None:
        self.file = os.memfd_create("spt-slots", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.file, count * slot_bytes)
        fcntl.fcntl(self.file, fcntl.F_ADD_SEALS, _SEALS)
        self._memory = mmap.mmap(self.file, count * slot_bytes)
        self._slot_bytes = slot_bytes
        self._free = list(range(count))
        self._changed = Condition()

    @property
    def num_free(self) -> int:
        """Slots that nobody uses."""
        return len(self._free)

    def put(self, pixels: Pixels, deadline: Deadline) -> int | None:
        """Copy an image's pixels into a slot; return its number, None if none is free in time."""
        assert pixels.nbytes <= self._slot_bytes
        with self._changed:
            if not self._changed.wait_for(lambda: self._free, deadline.left_s):
                return None
            slot = self._free.pop()  # the last one used, whose memory is there already
        height, width, _ = pixels.shape
        _view(self._memory, slot * self._slot_bytes, height, width)[:] = pixels
        return slot

    def give_back(self, slot: int) -> None:
        """Let others use a slot, whose pixels are not needed any more."""
        with self._changed:
            self._free.append(slot)
            self._changed.notify()

    def forget_file(self) -> None:
        """Close the descriptor, once the device process has its own; the memory stays."""
        os.close(self.file)


class SharedSlots:
    """The device process's side: what is in a front's slots.

    Args:
        file: descriptor of the memory; closed here.
        slot_bytes: of each slot.

    Raises:
        ValueError: the memory's size could change under our hands.
    """

    def __init__(self, file: int, slot_bytes: int) -> None:
        try:
            if fcntl.fcntl(file, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
                raise ValueError("the slots' memory is not sealed; expected a size that stays")
            self._memory = mmap.mmap(file, os.fstat(file).st_size, access=mmap.ACCESS_READ)
        finally:
            os.close(file)
        self._slot_bytes = slot_bytes

    def pixels(self, slot: int, height: int, width: int) -> Pixels:
        """Return what is in a slot, where it is; it stays until the front is told of the outcome.

        Raises:
            ValueError: there is no such slot, or it is too small.
        """
        start = slot * self._slot_bytes
        if not (height * width * 3 <= self._slot_bytes and start < len(self._memory)):
            raise ValueError(f"slot {slot} does not hold {width}x{height} pixels")
        return _view(self._memory, start, height, width)


def _view(memory: mmap.mmap, start: int, height: int, width: int) -> Pixels:
    pixels = np.frombuffer(memory, np.uint8, height * width * 3, start)
    return pixels.reshape(height, width, 3)
