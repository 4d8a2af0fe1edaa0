import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.artifact.codec import version_of
from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import POINTER_TTL_S, AdapterCache
from adapters.cache.redis_keys import RedisKeys
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore, Pointer
from adapters.store.record import Canary
from tests.fakes.artifacts import make_artifact
from tests.fakes.waiting import wait_until
from tests.integration.conftest import STORE_ID

FIRST, SECOND = (make_artifact(seed=seed) for seed in range(2))
KEYS = RedisKeys(STORE_ID)
KEY, EPOCH, CHANNEL = KEYS.pointer("pets"), KEYS.epoch, KEYS.channel


def pointer(sequence: int, *, share: float | None = None) -> Pointer:
    canary = None if share is None else Canary(version=f"{sequence:064d}", share=share)
    return Pointer(version=f"{sequence:064x}", sequence=sequence, canary=canary)


def test_a_pointer_comes_back_and_expires(cache: AdapterCache, raw: Any) -> None:
    assert cache.get_pointer("pets") is None
    cache.set_pointer("pets", pointer(1))
    assert cache.get_pointer("pets") == pointer(1)
    assert 0.75 * POINTER_TTL_S <= raw.pttl(KEY) / 1000 <= 1.2 * POINTER_TTL_S


@pytest.mark.parametrize("share", [0.1, 1e-7, 1 / 3, 0.9999999999999999])
def test_a_canary_comes_back_with_its_share_and_leaves_no_trace(
    cache: AdapterCache, raw: Any, share: float
) -> None:
    cache.publish_pointer("pets", pointer(1, share=share))
    assert cache.get_pointer("pets") == pointer(1, share=share)
    cache.publish_pointer("pets", pointer(2))
    assert cache.get_pointer("pets") == pointer(2)
    assert set(raw.hkeys(KEY)) == {b"version", b"sequence"}


def test_an_older_pointer_never_gets_in_and_leaves_the_question_to_the_store(
    cache: AdapterCache,
) -> None:
    for newest in (3, 10):
        cache.publish_pointer("pets", pointer(newest))
        assert cache.get_pointer("pets") == pointer(newest)
        for older in (newest - 2, newest - 1):
            cache.set_pointer("pets", pointer(older))
            assert cache.get_pointer("pets") is None
        cache.set_pointer("pets", pointer(newest))
        assert cache.get_pointer("pets") == pointer(newest)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=12))
def test_in_whatever_order_pointers_come_redis_has_the_newest_or_none(
    cache: AdapterCache, raw: Any, moves: list[tuple[int, bool]]
) -> None:
    raw.delete(KEY)
    newest = 0
    for sequence, is_publish in moves:
        move = cache.publish_pointer if is_publish else cache.set_pointer
        move("pets", pointer(sequence))
        newest = max(newest, sequence)
        assert cache.get_pointer("pets") == (pointer(newest) if sequence == newest else None)


def test_the_number_that_keeps_older_pointers_out_does_not_live_longer_than_a_pointer(
    server: RedisServer, raw: Any
) -> None:
    cache = AdapterCache.from_url(server.url, timeout_s=5.0, pointer_ttl_s=0.4)
    cache.store_id = STORE_ID
    cache.publish_pointer("pets", pointer(15))
    end = time.monotonic() + 0.4 * 1.2
    while time.monotonic() < end:
        cache.set_pointer("pets", pointer(11))
        assert raw.pttl(KEY) <= 480
    cache.set_pointer("pets", pointer(11))
    assert cache.get_pointer("pets") == pointer(11)
    cache.close()


def test_every_publish_is_announced_with_the_next_epoch_a_repeated_one_too(
    cache: AdapterCache, raw: Any
) -> None:
    with Listener(raw) as listener:
        for move in (pointer(1), pointer(1), pointer(1, share=0.5), pointer(2), pointer(1)):
            cache.publish_pointer("pets", move)
        heard = listener.heard()
    epochs = [int(message.split()[0]) for message in heard]
    assert [message.split()[1] for message in heard] == [b"pets"] * 5
    assert epochs == list(range(epochs[0], epochs[0] + 5))
    assert cache.epoch() == epochs[-1]


def test_a_reader_that_fills_an_empty_place_is_no_news_and_one_that_corrects_is(
    cache: AdapterCache, raw: Any
) -> None:
    with Listener(raw) as listener:
        cache.set_pointer("pets", pointer(1))
        cache.set_pointer("pets", pointer(1))
        assert listener.heard() == []
        cache.set_pointer("pets", pointer(1, share=0.5))
        cache.set_pointer("pets", pointer(2))
        assert len(listener.heard()) == 2


class Listener:
    """Somebody else on the channel."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._pubsub = raw.pubsub(ignore_subscribe_messages=True)

    def __enter__(self) -> "Listener":
        self._pubsub.subscribe(CHANNEL)
        wait_until("it listens", lambda: self._raw.pubsub_numsub(CHANNEL)[0][1] == 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._pubsub.close()

    def heard(self) -> list[bytes]:
        """Return what was announced up to now."""
        self._raw.publish(CHANNEL, "end")
        heard: list[bytes] = []
        while not heard or heard[-1] != b"end":
            message = self._pubsub.get_message(timeout=10)
            heard += [message["data"]] if message else []
        return heard[:-1]


def test_an_emptied_redis_never_repeats_an_epoch(cache: AdapterCache, raw: Any) -> None:
    assert cache.epoch() == 0
    seen = []
    for sequence in range(1, 4):
        cache.publish_pointer("pets", pointer(sequence))
        seen.append(cache.epoch())
        raw.flushall()
    assert len(set(seen)) == 3
    assert seen == sorted(seen)


@pytest.mark.parametrize("value", ["abc", str(2**63 - 1), "9" * 1000, ""])
def test_a_hostile_epoch_moves_all_the_same(cache: AdapterCache, raw: Any, value: str) -> None:
    raw.set(EPOCH, value)
    before = cache.epoch()
    cache.publish_pointer("pets", pointer(1))
    assert cache.epoch() not in (before, None, 0)
    assert cache.get_pointer("pets") == pointer(1)


def test_an_epoch_of_another_type_moves_all_the_same(cache: AdapterCache, raw: Any) -> None:
    raw.rpush(EPOCH, "a list")
    cache.publish_pointer("pets", pointer(1))
    assert cache.epoch()
    raw.delete(EPOCH)
    raw.rpush(EPOCH, "a list")
    assert cache.epoch() is None
    assert cache.epoch() == 0
    assert cache.is_up


def put_string(raw: Any, key: str) -> None:
    raw.set(key, "a string")


def put_list(raw: Any, key: str) -> None:
    raw.rpush(key, "a", "list")


def put_hash(raw: Any, key: str) -> None:
    raw.hset(key, mapping={"version": "../../etc/passwd", "sequence": "inf"})
    raw.pexpire(key, 1000)


def put_huge_hash(raw: Any, key: str) -> None:
    raw.hset(key, mapping={"version": "a" * 50_000_000, "sequence": "1"})
    raw.pexpire(key, 1000)


def put_pointer_without_end(raw: Any, key: str) -> None:
    raw.hset(key, mapping={"version": "ab" * 32, "sequence": "1"})


def put_pointer_for_days(raw: Any, key: str) -> None:
    put_pointer_without_end(raw, key)
    raw.expire(key, 100_000)


POISONS: list[Callable[[Any, str], None]] = [
    put_string,
    put_list,
    put_hash,
    put_huge_hash,
    put_pointer_without_end,
    put_pointer_for_days,
]


@pytest.mark.parametrize("poison", POISONS)
def test_poisoned_keys_are_misses_and_heal(cache: AdapterCache, raw: Any, poison: Any) -> None:
    version = version_of(FIRST)
    for key in (KEY, KEYS.artifact(version)):
        poison(raw, key)
    assert cache.get_pointer("pets") is None
    assert cache.get_artifact(version) is None
    assert cache.is_up
    assert raw.exists(KEY) == 0
    cache.set_pointer("pets", pointer(1))
    cache.put_artifact(version, FIRST)
    assert cache.get_pointer("pets") == pointer(1)
    assert cache.get_artifact(version) == FIRST


@pytest.mark.parametrize("poison", [put_string, put_list, put_pointer_without_end])
def test_a_pointer_is_set_over_whatever_was_there(
    cache: AdapterCache, raw: Any, poison: Any
) -> None:
    poison(raw, KEY)
    cache.set_pointer("pets", pointer(4))
    assert cache.get_pointer("pets") == pointer(4)


@pytest.mark.parametrize("sequence", ["inf", "nan", "1e300", "9" * 60, "-1", "0x7f", "{}", ""])
@pytest.mark.parametrize("left_ms", [None, 100, 10**9])
def test_a_hostile_sequence_keeps_a_publish_out_for_its_own_short_life_at_most(
    cache: AdapterCache, raw: Any, sequence: str, left_ms: int | None
) -> None:
    raw.hset(KEY, mapping={"version": "ab" * 32, "sequence": sequence})
    if left_ms is not None:
        raw.pexpire(KEY, left_ms)
    cache.publish_pointer("pets", pointer(4))
    assert cache.get_pointer("pets") in (None, pointer(4))
    time.sleep(0.11)
    cache.set_pointer("pets", pointer(4))
    assert cache.get_pointer("pets") == pointer(4)


def test_a_huge_pointer_is_never_fetched(cache: AdapterCache, raw: Any) -> None:
    put_huge_hash(raw, KEY)
    before = raw.info("stats")["total_net_output_bytes"]
    assert cache.get_pointer("pets") is None
    assert raw.info("stats")["total_net_output_bytes"] - before < 100_000


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


def test_an_old_replica_that_comes_back_never_wins_over_what_is_known(
    cache: AdapterCache, raw: Any, tmp_path: Path
) -> None:
    process = CachedStore(DirectoryStore(tmp_path / "store"), cache, pointer_ttl_s=0.0)
    process.publish(FIRST)
    key = RedisKeys(process.store.identity() or "").pointer("pets")
    old = raw.dump(key)
    second = process.publish(SECOND)
    raw.restore(key, 5000, old, replace=True)
    assert process.current("pets") == second
    assert cache.get_pointer("pets") == second


def test_a_store_restored_from_a_backup_is_believed_over_a_redis_that_was_not(
    cache: AdapterCache, tmp_path: Path
) -> None:
    store = DirectoryStore(tmp_path / "store")
    process = CachedStore(store, cache, pointer_ttl_s=0.0)
    first = process.publish(FIRST)
    backup = (tmp_path / "store/pets/current.json").read_bytes()
    process.publish(SECOND)
    process.rollback("pets")
    assert process.current("pets").sequence == 3
    (tmp_path / "store/pets/current.json").write_bytes(backup)
    assert store.current("pets") == first
    fresh = CachedStore(store, cache, pointer_ttl_s=0.0)
    restored = fresh.publish(SECOND)
    assert restored.sequence == 2
    for one in (fresh, process, fresh):
        assert one.current("pets") == restored


def test_two_pointers_with_one_number_are_settled_by_the_store(
    cache: AdapterCache, tmp_path: Path
) -> None:
    process = CachedStore(DirectoryStore(tmp_path / "store"), cache, pointer_ttl_s=0.0)
    pointer = process.publish(FIRST)
    process.store.publish(SECOND)
    wrong = Pointer(version=version_of(SECOND), sequence=pointer.sequence)
    cache.set_pointer("pets", wrong)
    assert cache.get_pointer("pets") == wrong
    assert process.current("pets") == process.store.current("pets")
    assert cache.get_pointer("pets") == process.store.current("pets")


def test_many_publishers_at_once_leave_redis_with_the_stores_pointer_or_none(
    server: RedisServer, tmp_path: Path
) -> None:
    store = DirectoryStore(tmp_path / "store")
    caches = [AdapterCache.from_url(server.url, timeout_s=5.0) for _ in range(4)]
    publishers = [CachedStore(store, cache) for cache in caches]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(p.publish, data) for p in publishers for data in [FIRST, SECOND] * 10]
        for job in jobs:
            job.result()
    assert caches[0].get_pointer("pets") in (None, store.current("pets"))
    for cache in caches:
        cache.close()


@pytest.fixture
def limit_memory(raw: Any) -> Iterator[Callable[[int], object]]:
    yield lambda limit: raw.config_set("maxmemory", limit)
    raw.config_set("maxmemory", 0)


def test_a_full_redis_keeps_no_artifact_and_never_an_old_pointer(
    cache: AdapterCache,
    limit_memory: Callable[[int], object],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = DirectoryStore(tmp_path / "store")
    process = CachedStore(store, cache, pointer_ttl_s=0.0, artifacts_in_redis=True)
    process.publish(FIRST)
    before = cache.epoch()
    limit_memory(1)
    for data in (SECOND, FIRST, SECOND):
        last = process.publish(data)
        assert cache.get_pointer("pets") in (None, last)
        assert process.current("pets") == last
    assert cache.epoch() == (before or 0) + 3
    assert cache.is_up
    assert cache.get_artifact(last.version) is None
    messages = [r.getMessage() for r in caplog.records if r.name == "adapters.redis.link"]
    assert len(messages) == 1
    assert "keep an artifact (OOM" in messages[0]
    limit_memory(0)
    assert process.read("pets", last.version) == SECOND
    assert cache.get_artifact(last.version) == SECOND
