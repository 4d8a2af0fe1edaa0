"""Two stores on one Redis: neither ever hears of the other's versions."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.artifact.codec import version_of
from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.errors import VersionNotFound
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore
from tests.fakes.artifacts import make_artifact
from tests.fakes.waiting import wait_until
from tests.integration.conftest import PATIENT_S

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))


@pytest.fixture
def stores(server: RedisServer, tmp_path: Path) -> Iterator[tuple[CachedStore, CachedStore]]:
    """Production and a developer, on one Redis."""
    made = [
        CachedStore(
            DirectoryStore(tmp_path / name),
            AdapterCache.from_url(server.url, timeout_s=PATIENT_S),
            artifacts_in_redis=True,
            pointer_ttl_s=0.0,
        )
        for name in ("production", "developer")
    ]
    yield made[0], made[1]
    for store in made:
        store.close()


def test_a_developers_publishes_never_answer_for_production(
    stores: tuple[CachedStore, CachedStore],
) -> None:
    production, developer = stores
    pointer = production.publish(FIRST)
    for data in (SECOND, THIRD):
        developer.publish(data)
        assert production.current("pets") == pointer
        assert developer.current("pets").version == version_of(data)


def test_a_version_that_the_store_does_not_hold_is_not_taken_from_redis(
    stores: tuple[CachedStore, CachedStore],
) -> None:
    production, _ = stores
    pointer, cache = production.publish(FIRST), production.cache
    assert cache is not None
    cache.put_artifact(version_of(SECOND), SECOND)
    with pytest.raises(VersionNotFound):
        production.read("pets", version_of(SECOND))
    assert production.current("pets") == pointer


def test_publishes_of_one_store_are_no_news_to_a_service_of_the_other(
    server: RedisServer, stores: tuple[CachedStore, CachedStore], raw: Any
) -> None:
    production, developer = stores
    production.publish(FIRST)
    expired: list[str] = []
    memory = production._memory
    memory.expire = lambda task, newest=None: expired.append(task)  # type: ignore[method-assign]
    production.watch()
    wait_until("it hears", lambda: production.hears_publishes)
    for data in (SECOND, THIRD, SECOND):
        developer.publish(data)
    production.publish(SECOND)
    wait_until(
        "its own is heard", lambda: len(expired) == 2
    )  # by who publishes, and by the watcher
    assert production.hears_publishes
    assert expired == ["pets", "pets"]


def test_every_key_of_a_store_carries_its_id(
    stores: tuple[CachedStore, CachedStore], raw: Any
) -> None:
    production, _ = stores
    production.publish(FIRST)
    identity = production.store.identity()
    keys = {key.decode() for key in raw.scan_iter()}
    assert keys == {
        f"spt:{identity}:pointer:pets",
        f"spt:{identity}:artifact:{version_of(FIRST)}",
    }


def test_announcements_do_not_cross_databases(server: RedisServer, tmp_path: Path) -> None:
    store, base = DirectoryStore(tmp_path / "store"), server.url.rpartition("/")[0]
    first, second = (
        CachedStore(store, AdapterCache.from_url(f"{base}/{number}", timeout_s=PATIENT_S))
        for number in (0, 1)
    )
    first.publish(FIRST)
    assert first.cache is not None
    with closing(first.cache.announcements(PATIENT_S)) as heard:
        assert next(heard) is None  # connected
        second.publish(make_artifact("dogs"))
        first.publish(SECOND)
        assert next(heard) == "pets"
    for one in (first, second):
        one.close()


def test_until_a_store_says_which_one_it_is_redis_is_not_asked(
    server: RedisServer, raw: Any
) -> None:
    cache = AdapterCache.from_url(server.url, timeout_s=PATIENT_S)
    cache.announce("pets")
    cache.put_artifact(version_of(FIRST), FIRST)
    assert not cache.answers()
    assert raw.keys() == []
    cache.close()
