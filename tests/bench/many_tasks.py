"""Stores of very many tasks, and services that look them up; what those ask for is counted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from redis import Redis

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.artifact.codec import version_of
from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore, Pointer
from adapters.store.record_changes import after_publish
from adapters.vit.adapter import encode
from tests.fakes.artifacts import make_adapter
from tests.fakes.waiting import wait_until

_NOBODY_ASKS: Final = "ab" * 32
_PATIENCE_S: Final = 60.0


class Place(NamedTuple):
    """A store of many tasks, and a Redis of its own.

    Attributes:
        root: of the store.
        tasks: how many there are.
        asked: those that are asked for.
        redis: that tells of this store alone.
    """

    root: Path
    tasks: int
    asked: Sequence[str]
    redis: RedisServer


@contextmanager
def place(folder: Path, spec: BackboneSpec, tasks: int, asked: int) -> Iterator[Place]:
    """Write a store past its own code, without waiting for the disk, and start its Redis.

    Args:
        folder: where.
        spec: of the backbone that the asked tasks' adapters fit; they have no prompts.
        tasks: how many there are.
        asked: how many of them have an artifact.
    """
    names = [f"task-{number}" for number in range(tasks)]
    root = folder / "store"
    for number, name in enumerate(names[1:], start=1):
        _write_task(root / name, artifact(spec, number) if number < asked else None)
    DirectoryStore(root).publish(artifact(spec, 0))
    with RedisServer(folder / "redis") as redis:
        yield Place(root, tasks, names[:asked], redis)


def _write_task(folder: Path, data: bytes | None) -> None:
    versions = folder / "versions"
    versions.mkdir(parents=True)
    version = _NOBODY_ASKS if data is None else version_of(data)
    if data is not None:
        (versions / f"{version}.safetensors").write_bytes(data)
    record = after_publish(None, version, datetime.now(UTC))
    (folder / "current.json").write_text(record.model_dump_json(exclude_defaults=True))


def artifact(spec: BackboneSpec, number: int) -> bytes:
    """Return a linear head of `task-<number>`."""
    return encode(make_adapter(f"task-{number}", 10, method="linear", seed=number, backbone=spec))


class CountingStore(DirectoryStore):
    """Counts how often something is read that says what is current."""

    reads = 0

    def current(self, task: str) -> Pointer:
        """Return a task's pointer."""
        self.reads += 1
        return super().current(task)

    def feed(self) -> Any:
        """Return the last moves; a store of before the feed has none."""
        self.reads += 1
        return super().feed()

    def holds(self, task: str, version: str) -> bool:
        """Return whether a version is held."""
        self.reads += 1
        return super().holds(task, version)


class Asking:
    """A process that watches a store, and the tasks that it is asked for.

    Attributes:
        name: of what is asked, for people.
        asked: those that are asked for.
        source: who is asked.
    """

    def __init__(self, where: Place, with_redis: bool) -> None:
        url = where.redis.url
        cache = AdapterCache.from_url(url) if with_redis else None
        self._store = CountingStore(where.root)
        self._redis = Redis.from_url(url) if with_redis else None
        self.asked = where.asked
        self.source = CachedStore(self._store, cache)
        self.name = (
            f"{len(where.asked):,} of {where.tasks:,} tasks, "
            f"{'with' if with_redis else 'without'} Redis"
        )

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch, and look every task up once."""
        self.source.watch()
        if self.source.cache is not None:
            wait_until("it hears", lambda: self.source.hears_publishes, timeout_s=_PATIENCE_S)
        if hasattr(self.source, "follows_store"):  # not so in commits before the feed
            wait_until("it follows", lambda: self.source.follows_store, timeout_s=_PATIENCE_S)
        for task in self.asked:
            self.source.current(task)
        yield
        self.source.close()

    def counted(self) -> tuple[int, int]:
        """Return the reads of the store and the commands to Redis until now."""
        if self._redis is None:
            return self._store.reads, 0
        stats: Any = self._redis.info("commandstats")
        commands = [value for name, value in stats.items() if name != "cmdstat_info"]
        return self._store.reads, sum(one["calls"] for one in commands)
