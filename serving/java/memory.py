"""What TorchServe's front may hold at once: memory, queue and body limit made to agree.

Java holds a body three times over. It comes in outside the heap, it waits in the queue on the
heap, and a whole batch is written out of a buffer outside the heap, which is copied while it grows.
Nothing in TorchServe bounds how many bodies come in at once: `arriving` of them have room, and of
more some are refused with 507 or cut off. Knows arithmetic alone.
"""

from pathlib import Path
from typing import Final, NamedTuple

import psutil

from serving.errors import ConfigError

FRONT_MEMORY_BYTES: Final = 8 << 30
"""A ceiling for the worst crowd, not a reservation: an idle front has a quarter of a gigabyte."""

_HEAP_BASE: Final = 256 << 20
_DIRECT_BASE: Final = (64 + 128) << 20
"""With one block of the pool that buffers are taken from; see io.netty.allocator in
config.properties."""

_WRITTEN: Final = 2
"""Buffers of a batch that is written: the one that has grown too small, and its successor."""

_BATCHES: Final = 3
"""Of the largest bodies that there must be room for next to the one in the worker's hands: two that
wait, and one that comes in. The share of those that wait is the same of all further room."""

_MIB: Final = 1 << 20
_CONTAINER: Final = Path("/sys/fs/cgroup/memory.max")


class FrontMemory(NamedTuple):
    """How the front's memory is spent.

    Attributes:
        heap_bytes: Java's heap.
        direct_bytes: buffers outside the heap.
        queue: requests that wait at most; one more is refused at once, with 503.
        arriving: bodies of the largest size that have room while they come in.
    """

    heap_bytes: int
    direct_bytes: int
    queue: int
    arriving: int

    @property
    def flags(self) -> tuple[str, ...]:
        """What Java is told of it, in whole MiB."""
        heap, direct = self.heap_bytes // _MIB, self.direct_bytes // _MIB
        return f"-Xmx{heap}m", f"-XX:MaxDirectMemorySize={direct}m"


def front_memory(memory_bytes: int, body_bytes: int, batch_size: int) -> FrontMemory:
    """Return how much of everything fits into the front's memory.

    Args:
        memory_bytes: heap and direct buffers together.
        body_bytes: of the largest request.
        batch_size: requests that are handed to the worker at once.

    Raises:
        ConfigError: not even a few batches fit.
    """
    held = (1 + _WRITTEN) * batch_size
    free = (memory_bytes - _HEAP_BASE - _DIRECT_BASE) // body_bytes - held
    if free < _BATCHES * batch_size:
        needed = held + _BATCHES * batch_size
        largest = (memory_bytes - _HEAP_BASE - _DIRECT_BASE) // needed
        raise ConfigError(
            f"front_memory_bytes is {memory_bytes:,}, too little for bodies of {body_bytes:,} "
            f"bytes in batches of {batch_size}: give it {least_memory(body_bytes, batch_size):,}, "
            f"or lower image_limits.max_bytes to {max(largest, 0):,}"
        )
    arriving = free // _BATCHES
    queue = free - arriving
    return FrontMemory(
        heap_bytes=_HEAP_BASE + (queue + batch_size) * body_bytes,
        direct_bytes=_DIRECT_BASE + (_WRITTEN * batch_size + arriving) * body_bytes,
        queue=queue,
        arriving=arriving,
    )


def least_memory(body_bytes: int, batch_size: int) -> int:
    """Return the least memory that `front_memory` takes."""
    return _HEAP_BASE + _DIRECT_BASE + (1 + _WRITTEN + _BATCHES) * batch_size * body_bytes


def memory_of_machine() -> int:
    """Return how many bytes of memory this machine has, or the container that this is."""
    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(_CONTAINER.read_text(encoding="utf-8")))
    except (OSError, ValueError):  # no container, or one without a limit
        return total
