"""What a process that watches its Redis knows, and how soon."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adapters.artifact.codec import version_of
from adapters.cache import follower
from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.redis_keys import RedisKeys
from adapters.errors import TaskNotFound
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore, Pointer
from adapters.store.identity import give_identity
from tests.fakes.artifacts import make_artifact
from tests.fakes.waiting import wait_until
from tests.integration.conftest import PATIENT_S

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
SOON_S = 30.0
"""Far less than the minutes for which a pointer lives while it is followed, or in `listener`."""


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    (tmp_path / "store").mkdir()
    give_identity(tmp_path / "store")
    return DirectoryStore(tmp_path / "store")


@pytest.fixture
def keys(store: DirectoryStore) -> RedisKeys:
    return RedisKeys(store.identity() or "")


@pytest.fixture
def service(server: RedisServer, store: DirectoryStore) -> Iterator[CachedStore]:
    service = CachedStore(store, AdapterCache.from_url(server.url, timeout_s=5.0))
    service.watch()
    wait_until("it hears", lambda: service.hears_publishes)
    yield service
    service.close()


@pytest.fixture
def listener(
    server: RedisServer, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CachedStore]:
    """A service that hears of a move by its announcement, and else not for ten minutes."""
    monkeypatch.setattr(follower, "LOOK_EVERY_S", 600.0)
    cache = AdapterCache.from_url(server.url, timeout_s=PATIENT_S)
    service = CachedStore(store, cache, pointer_ttl_s=600.0)
    service.watch()
    wait_until("it hears", lambda: service.hears_publishes)
    yield service
    service.close()


@pytest.fixture
def publisher(cache: AdapterCache, store: DirectoryStore) -> CachedStore:
    return CachedStore(store, cache)


def is_seen(service: CachedStore, pointer: Pointer) -> bool:
    """Return whether a pointer becomes current soon; asks as often as a service would."""
    end = time.monotonic() + SOON_S
    while service.current("pets") != pointer:
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def test_every_change_is_seen_when_it_is_announced(
    listener: CachedStore, publisher: CachedStore
) -> None:
    changes = [
        lambda: publisher.publish(FIRST),
        lambda: publisher.publish(SECOND, canary=0.5),
        lambda: publisher.promote("pets"),
        lambda: publisher.rollback("pets"),
        lambda: publisher.publish(THIRD),
    ]
    for change in changes:
        pointer = change()
        assert is_seen(listener, pointer)


def test_between_two_changes_neither_redis_nor_the_store_is_asked(
    service: CachedStore, publisher: CachedStore, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = publisher.publish(FIRST)
    time.sleep(follower.LOOK_EVERY_S + 0.2)
    assert is_seen(service, pointer)
    monkeypatch.setattr(DirectoryStore, "current", lambda *_: pytest.fail("asked"))
    raw.config_resetstat()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert service.current("pets") == pointer
    asked = {name.removeprefix("cmdstat_") for name in raw.info("commandstats")}
    assert asked <= {"ping", "info", "config|resetstat"}


def test_a_task_that_was_not_there_is_seen_when_its_publish_is_announced(
    listener: CachedStore, publisher: CachedStore
) -> None:
    with pytest.raises(TaskNotFound):
        listener.current("pets")
    pointer = publisher.publish(FIRST)
    wait_until("it is found", lambda: is_found(listener))
    assert listener.current("pets") == pointer


def is_found(service: CachedStore) -> bool:
    try:
        return bool(service.current("pets"))
    except TaskNotFound:
        return False


def test_a_publish_that_is_not_announced_is_seen_at_the_next_look_at_the_feed(
    service: CachedStore, publisher: CachedStore, store: DirectoryStore
) -> None:
    assert is_seen(service, publisher.publish(FIRST))
    for data in (SECOND, THIRD):
        assert is_seen(service, store.publish(data))
    assert service.hears_publishes


def test_what_is_published_while_it_is_cut_off_is_seen_when_it_is_back(
    service: CachedStore, publisher: CachedStore, raw: Any
) -> None:
    assert is_seen(service, publisher.publish(FIRST))
    for data in (SECOND, THIRD):
        raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        pointer = publisher.publish(data)
        assert is_seen(service, pointer)
        wait_until("it hears again", lambda: service.hears_publishes)


def test_close_ends_the_thread_and_the_connections(
    server: RedisServer, store: DirectoryStore, raw: Any, keys: RedisKeys
) -> None:
    service = CachedStore(store, AdapterCache.from_url(server.url, timeout_s=5.0))
    for _ in range(3):
        service.watch()
        service.watch()
        wait_until("it hears", lambda: service.hears_publishes)
        service.close()
        assert not service.hears_publishes
    ours = {"watch-redis", "follow-store"}
    assert not ours & {thread.name for thread in threading.enumerate()}
    wait_until("Redis let go", lambda: raw.pubsub_numsub(keys.channel)[0][1] == 0)
    service.publish(FIRST)
    assert service.current("pets").version == version_of(FIRST)


def test_two_hundred_changes_under_load_are_seen_in_order_and_each_by_its_announcement(
    listener: CachedStore, publisher: CachedStore
) -> None:
    publisher.publish(FIRST)
    seen: list[list[int]] = []
    is_over = threading.Event()

    def ask() -> None:
        mine = [listener.current("pets").sequence]
        seen.append(mine)
        while not is_over.is_set():
            mine.append(listener.current("pets").sequence)
            time.sleep(0.001)

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(ask) for _ in range(4)]
        late = []
        for i in range(200):
            pointer = publisher.publish([SECOND, FIRST][i % 2])
            if not is_seen(listener, pointer):
                late.append(pointer.sequence)
        is_over.set()
        for job in jobs:
            job.result()
    assert late == []
    assert all(mine == sorted(mine) for mine in seen)
