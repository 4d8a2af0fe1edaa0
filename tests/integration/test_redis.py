"""What Redis does for one store: it announces publishes, and keeps pointers and artifacts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.artifact.codec import version_of
from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.redis_keys import RedisKeys
from adapters.cache.redis_pointer import KeptPointer
from adapters.store.directory import DirectoryStore
from adapters.store.record import Canary, Pointer
from tests.fakes.artifacts import make_artifact
from tests.fakes.waiting import wait_until
from tests.integration.conftest import STORE_ID

FIRST, SECOND = (make_artifact(seed=seed) for seed in range(2))
KEYS = RedisKeys(STORE_ID)
CHANNEL = KEYS.channel


def test_every_announcement_is_one_message(cache: AdapterCache, raw: Any) -> None:
    with Listener(raw) as listener:
        for task in ("pets", "dogs", "pets"):
            cache.announce(task)
        assert listener.heard() == [b"pets", b"dogs", b"pets"]
    assert raw.keys() == []


def test_what_is_announced_is_heard(cache: AdapterCache, raw: Any) -> None:
    news = cache.announcements(0.05)
    assert next(news) is None
    cache.announce("pets")
    assert wait_until("it is heard", lambda: next(news)) == "pets"
    raw.publish(CHANNEL, "../etc/passwd")
    cache.announce("dogs")
    assert wait_until("it is heard", lambda: next(news)) == "dogs"
    news.close()


def test_one_who_listens_for_a_store_that_has_become_another_one_is_told(
    cache: AdapterCache,
) -> None:
    news = cache.announcements(0.05)
    next(news)
    cache.store_id = "6" * 32
    assert next(news, "over") == "over"


class Listener:
    """Somebody else on the channel."""

    def __init__(self, raw: Any, channel: str = CHANNEL) -> None:
        self._raw, self._channel = raw, channel
        self._pubsub = raw.pubsub(ignore_subscribe_messages=True)

    def __enter__(self) -> "Listener":
        self._pubsub.subscribe(self._channel)
        wait_until("it listens", lambda: self._raw.pubsub_numsub(self._channel)[0][1] == 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._pubsub.close()

    def heard(self) -> list[bytes]:
        """Return what was announced up to now."""
        self._raw.publish(self._channel, "end")
        heard: list[bytes] = []
        while not heard or heard[-1] != b"end":
            message = self._pubsub.get_message(timeout=60)
            heard += [message["data"]] if message else []
        return heard[:-1]


@pytest.mark.parametrize(
    "put",
    [
        lambda raw, key: raw.set(key, "a string"),
        lambda raw, key: raw.set(key, b"\0" * 5_000_000),
        lambda raw, key: raw.rpush(key, "a", "list"),
    ],
)
def test_a_poisoned_pointer_is_a_miss_and_heals(cache: AdapterCache, raw: Any, put: Any) -> None:
    kept = KeptPointer(number=1, pointer=Pointer(version=version_of(FIRST), sequence=1))
    put(raw, KEYS.pointer("pets"))
    assert cache.get_pointer("pets") is None
    assert raw.exists(KEYS.pointer("pets")) == 0
    cache.keep_pointer("pets", kept)
    assert cache.get_pointer("pets") == kept
    assert 0 < raw.ttl(KEYS.pointer("pets")) <= 3600


@pytest.mark.parametrize(
    "put",
    [
        lambda raw, key: raw.set(key, "a string"),
        lambda raw, key: raw.rpush(key, "a", "list"),
    ],
)
def test_a_poisoned_key_is_a_miss_and_heals(cache: AdapterCache, raw: Any, put: Any) -> None:
    version = version_of(FIRST)
    put(raw, KEYS.artifact(version))
    assert cache.get_artifact(version) is None
    assert cache.is_up
    cache.put_artifact(version, FIRST)
    assert cache.get_artifact(version) == FIRST


def test_an_artifact_comes_back_whole_and_expires(cache: AdapterCache, raw: Any) -> None:
    version = version_of(FIRST)
    assert cache.get_artifact(version) is None
    cache.put_artifact(version, FIRST)
    assert cache.get_artifact(version) == FIRST
    assert 0 < raw.ttl(KEYS.artifact(version)) <= 24 * 3600


def test_it_tells_which_artifacts_it_has(cache: AdapterCache, raw: Any) -> None:
    held, other = version_of(FIRST), version_of(SECOND)
    cache.put_artifact(held, FIRST)
    raw.set(KEYS.artifact("*"), "x")
    assert cache.holding([held, other, "*", "../x"]) == {held}
    assert cache.holding([]) == frozenset()


def test_a_corrupt_artifact_is_deleted_and_never_returned(cache: AdapterCache, raw: Any) -> None:
    version = version_of(FIRST)
    for wrong in (SECOND, FIRST[:-1], FIRST + b"x", b"\0" * 5_000_000):
        raw.set(KEYS.artifact(version), wrong)
        assert cache.get_artifact(version) is None
        assert raw.exists(KEYS.artifact(version)) == 0


def test_two_processes_agree_through_redis(cache: AdapterCache, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    here, there = (CachedStore(store, cache, pointer_ttl_s=0.0) for _ in range(2))
    here.publish(FIRST)
    here.publish(SECOND)
    assert here.rollback("pets") == there.current("pets")
    assert there.publish(SECOND) == here.current("pets")


def test_a_canary_and_its_promotion_reach_the_other_process(
    cache: AdapterCache, tmp_path: Path
) -> None:
    store = DirectoryStore(tmp_path / "store")
    here, there = (CachedStore(store, cache, pointer_ttl_s=0.0) for _ in range(2))
    here.publish(FIRST)
    canary = here.publish(SECOND, canary=0.25)
    assert canary.canary == Canary(version=version_of(SECOND), share=0.25)
    assert there.current("pets") == canary
    promoted = here.promote("pets")
    assert there.current("pets") == promoted
    assert (promoted.version, promoted.canary) == (version_of(SECOND), None)


@pytest.fixture
def limit_memory(raw: Any) -> Iterator[Callable[[int], object]]:
    yield lambda limit: raw.config_set("maxmemory", limit)
    raw.config_set("maxmemory", 0)


def test_a_full_redis_keeps_nothing_and_announces_all_the_same(
    cache: AdapterCache,
    limit_memory: Callable[[int], object],
    raw: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = DirectoryStore(tmp_path / "store")
    process = CachedStore(store, cache, pointer_ttl_s=0.0, artifacts_in_redis=True)
    process.publish(FIRST)
    limit_memory(1)
    with Listener(raw, RedisKeys(store.identity() or "").channel) as listener:
        for data in (SECOND, FIRST, SECOND):
            last = process.publish(data)
            assert process.current("pets") == last
        assert listener.heard() == [b"pets"] * 3
    assert cache.is_up
    assert cache.get_artifact(last.version) is None
    messages = [r.getMessage() for r in caplog.records if r.name == "adapters.redis.link"]
    assert [message.split(" (OOM")[0] for message in messages] == [
        "Redis cannot keep a pointer",
        "Redis cannot keep an artifact",
    ]
    limit_memory(0)
    assert process.read("pets", last.version) == SECOND
    assert cache.get_artifact(last.version) == SECOND
