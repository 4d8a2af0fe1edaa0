"""One backbone that is loaded once for several runs of a process, one after the other."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from adapters.vit.backbone import Backbone

_KEPT: ContextVar[dict[Hashable, Backbone] | None] = ContextVar("kept backbone", default=None)


@contextmanager
def keeping_backbone() -> Iterator[None]:
    """Keep the last backbone in this block; no run writes to it, so the next one may have it."""
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def kept(key: Hashable, load: Callable[[], Backbone]) -> Backbone:
    """Return the backbone of this key, loaded unless it is the one that is kept."""
    memory = _KEPT.get()
    if memory is None:
        return load()
    if key not in memory:
        memory.clear()  # before the next one takes memory
        memory[key] = load()
    return memory[key]
