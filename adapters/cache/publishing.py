"""The last step of every publication: stored, announced, and compared with what it replaced."""

from pathlib import Path
from typing import NamedTuple

from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.store.directory import Expecting
from adapters.store.former_version import Comparison, compare_with_former
from adapters.store.log import ANY_CHANGE, Change
from adapters.store.objects.opened import store_at
from adapters.store.record import Pointer
from adapters.trust.envelope import Envelope


class Published(NamedTuple):
    """What a publication did.

    Attributes:
        pointer: the task's versions from now on.
        comparison: with the version that was current before.
    """

    pointer: Pointer
    comparison: Comparison


def open_store(folder: Path, redis_url: str | None) -> CachedStore:
    """Return the store in `folder`; what is published there is announced in the Redis, if any.

    Raises:
        ValueError: `redis_url` is not the address of a Redis; nothing is sent there yet.
    """
    cache = AdapterCache.from_url(redis_url) if redis_url else None
    return CachedStore(store_at(folder), cache)


def publish(
    store: CachedStore,
    data: bytes,
    *,
    expected: str | Expecting | None = Expecting.ANYTHING,
    canary: float | None = None,
    change: Change = ANY_CHANGE,
    envelope: Envelope | None = None,
) -> Published:
    """Publish an artifact and say what became of its task's classes.

    Arguments and errors are those of `Store.publish`.
    """
    pointer = store.publish(
        data, expected=expected, canary=canary, change=change, envelope=envelope
    )
    return Published(pointer, compare_with_former(store.store, data, pointer))
