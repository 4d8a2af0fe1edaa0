"""One store, a Redis of a dict, and any number of processes in front of them."""

from pathlib import Path

from redis import Redis

from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.redis_pointer import KeptPointer
from adapters.errors import StoreUnavailable
from adapters.store.directory import DirectoryStore, Pointer

TTL = 0.5
LONGEST = TTL * 1.2


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class DyingStore(DirectoryStore):
    """A store that can be switched off, and counts how often it is asked for a pointer."""

    is_dead = False
    asked = 0

    def current(self, task: str) -> Pointer:
        self.asked += 1
        self._live()
        return super().current(task)

    def read(self, task: str, version: str) -> bytes:
        self._live()
        return super().read(task, version)

    def envelope(self, task: str, version: str) -> bytes | None:
        self._live()
        return super().envelope(task, version)

    def holds(self, task: str, version: str) -> bool:
        self._live()
        return super().holds(task, version)

    def _live(self) -> None:
        if self.is_dead:
            raise StoreUnavailable("switched off")


class MemoryCache(AdapterCache):
    """What Redis does, in a list and dicts."""

    def __init__(self) -> None:
        super().__init__(Redis())
        self.announced: list[str] = []
        self.artifacts: dict[str, bytes] = {}
        self.pointers: dict[str, KeptPointer] = {}

    def get_pointer(self, task: str) -> KeptPointer | None:
        return self.pointers.get(task)

    def keep_pointer(self, task: str, kept: KeptPointer) -> None:
        self.pointers[task] = kept

    def announce(self, task: str) -> None:
        self.announced.append(task)

    def get_artifact(self, version: str) -> bytes | None:
        return self.artifacts.get(version)

    def put_artifact(self, version: str, data: bytes) -> None:
        self.artifacts[version] = data


class World:
    """One store, one Redis, and any number of processes in front of them."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.store = DyingStore(root)
        self.redis = MemoryCache()
        self.clock = Clock()

    def process(self, *, with_redis: bool = True) -> CachedStore:
        redis = self.redis if with_redis else None
        return CachedStore(
            self.store, redis, pointer_ttl_s=TTL, clock=self.clock, artifacts_in_redis=True
        )

    def later(self) -> None:
        self.clock.now += LONGEST
