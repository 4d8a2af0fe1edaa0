"""What is done when the device's memory runs out: make room, try again, give up in one word."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

import torch

from serving.errors import DeviceOutOfMemory

_Made = TypeVar("_Made")
_WORDS: Final = ("out of memory", "can't allocate memory", "failed to allocate memory")
"""What torch's CPU allocator and ONNX Runtime say; they have no class for it."""


_ASKED = re.compile(r"tried to allocate ([0-9.]+) (bytes|[KMG]iB)", re.IGNORECASE)
_UNITS: Final = {"bytes": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_USUALLY_ASKED: Final = 256 << 20
_ALL: Final = 0
_ROOMS: Final = (1, 2, _ALL, _ALL)
"""Times what was asked for."""

MakeRoom = Callable[[int | None], int]
"""Frees at least so many bytes, None for all it can; returns how many it has freed."""


def retry_in_room(act: Callable[[], _Made], make_room: MakeRoom) -> _Made:
    """Return what `act` makes; if memory runs out, make room and let it try again.

    Room is made for what was asked, then for twice as much, then all there is, as long as any is
    freed: what is evicted must be loaded again.

    Raises:
        DeviceOutOfMemory: it ran out each time.
    """
    reason = ""
    for times in _ROOMS:
        try:
            return act()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            asked, reason = _bytes_asked(error), str(error).partition("\n")[0][:200]
        # only here, where the failed attempt's tensors have gone with its error
        freed = make_room(None if times == _ALL else times * asked)
        if not freed and times != _ROOMS[0]:
            break
    raise DeviceOutOfMemory(
        f"no memory is left on the device though every idle adapter was evicted ({reason}); lower "
        "max_batch or bank_bytes, or end what else uses the device"
    )


def _bytes_asked(error: Exception) -> int:
    """Return how much memory was asked for in vain, by the allocator's words."""
    match = _ASKED.search(str(error))
    return int(float(match[1]) * _UNITS[match[2].lower()]) if match else _USUALLY_ASKED


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory ran out, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)
