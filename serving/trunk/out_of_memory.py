"""What is done when the device's memory runs out: make room, try once more, give up in one word."""

from collections.abc import Callable
from typing import Final, TypeVar

import torch

from serving.errors import DeviceOutOfMemory

_Made = TypeVar("_Made")
_WORDS: Final = ("out of memory", "can't allocate memory", "failed to allocate memory")
"""What torch's CPU allocator and ONNX Runtime say; they have no class for it."""


def retry_in_room(act: Callable[[], _Made], make_room: Callable[[], None]) -> _Made:
    """Return what `act` makes; if memory runs out, make room and let it try once more.

    Raises:
        DeviceOutOfMemory: it ran out both times.
    """
    try:
        return act()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    make_room()  # only here, where the failed attempt's tensors have gone with its error
    try:
        return act()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0][:200]
    raise DeviceOutOfMemory(
        f"no memory is left on the device though every idle adapter was evicted ({reason}); lower "
        "max_batch or bank_bytes, or end what else uses the device"
    )


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory ran out, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)
