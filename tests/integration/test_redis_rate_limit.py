"""The script that counts, in every real server of this machine."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from adapters.redis.server import RedisServer, find_servers
from adapters.redis.shared_limit import Grant, SharedLimit, Want
from tests.fakes.waiting import wait_until

PATIENT_S = 5.0
"""A timeout that a busy test machine keeps; production's is 100 times shorter."""

KEY = "spt:{rate}:team-a"
SLOW = {"rate": 0.001, "burst": 5}
"""A bucket that does not fill while a test runs."""


@pytest.fixture(scope="module", params=find_servers(), ids=lambda path: path.name)
def running(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), binary=request.param) as server:
        yield server


@pytest.fixture
def raw(running: RedisServer) -> Iterator[Any]:
    running.start()
    with Redis.from_url(running.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def limit(running: RedisServer, raw: Any) -> Iterator[SharedLimit]:
    limit = SharedLimit.from_url(running.url, timeout_s=PATIENT_S, retry_after_s=0.05)
    yield limit
    limit.close()


def take(limit: SharedLimit, count: int, **bucket: Any) -> Grant:
    return limit.take([Want("team-a", asked=count, **(SLOW | bucket))])["team-a"]


def test_a_full_bucket_is_emptied_and_then_says_how_long_until_the_next(limit: SharedLimit) -> None:
    assert take(limit, 3) == Grant(3, 0.0)
    granted, wait_s = take(limit, 3)
    assert granted == 2
    assert 990 < wait_s <= 1000
    assert take(limit, 1).granted == 0


def test_a_bucket_fills_at_its_rate_and_no_further_than_its_brim(limit: SharedLimit) -> None:
    began = time.monotonic()
    assert take(limit, 10, rate=50.0).granted == 5
    time.sleep(0.05)
    got = take(limit, 10, rate=50.0).granted
    assert 2 <= got <= (time.monotonic() - began) * 50 + 1
    time.sleep(0.3)
    assert take(limit, 10, rate=50.0).granted == 5


def test_waiting_as_long_as_told_is_enough_and_little_less_is_not(limit: SharedLimit) -> None:
    take(limit, 5, rate=0.4)
    _, wait_s = take(limit, 1, rate=0.4)
    assert 0 < wait_s <= 2.5
    time.sleep(wait_s / 4)
    assert take(limit, 1, rate=0.4).granted == 0
    time.sleep(3 * wait_s / 4)
    assert take(limit, 1, rate=0.4).granted == 1


def test_names_have_buckets_of_their_own(limit: SharedLimit) -> None:
    assert take(limit, 5).granted == 5
    other = limit.take([Want("team-b", 0.001, 5, 5)]).get("team-b")
    assert other is not None
    assert other.granted == 5


def test_two_processes_share_one_bucket(limit: SharedLimit, running: RedisServer) -> None:
    other = SharedLimit.from_url(running.url, timeout_s=PATIENT_S)
    granted = [take(one, 1).granted for one in (limit, other) * 5]
    assert sum(granted) == 5
    other.close()


def test_many_threads_never_get_more_than_there_is(limit: SharedLimit) -> None:
    got: list[int] = []
    threads = [
        threading.Thread(target=lambda: got.append(take(limit, 3, burst=50).granted))
        for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 50


def test_a_bucket_that_is_full_again_leaves_nothing_behind(limit: SharedLimit, raw: Any) -> None:
    take(limit, 5, rate=10.0)
    assert 0 < raw.pttl(KEY) <= 502
    wait_until("the key is gone", lambda: not raw.exists(KEY))


@pytest.mark.parametrize(
    "value", ["nan", "-nan", "text", "", "-inf", "-1e300", "0x10", "1e-300", "\0", "9" * 400 + "x"]
)
def test_a_value_that_says_nothing_is_a_full_bucket(
    limit: SharedLimit, raw: Any, value: str
) -> None:
    raw.set(KEY, value)
    assert take(limit, 5) == Grant(5, 0.0)
    assert 0 < raw.pttl(KEY) <= 5_000_001


@pytest.mark.parametrize("value", ["inf", "1e300", "9" * 400])
def test_a_value_far_ahead_locks_nobody_out_for_longer_than_an_empty_bucket(
    limit: SharedLimit, raw: Any, value: str
) -> None:
    raw.set(KEY, value)
    granted, wait_s = take(limit, 1)
    assert granted == 0
    assert wait_s <= 1000
    raw.set(KEY, value)
    assert 0 < take(limit, 1, rate=20.0).wait_s <= 0.05


def test_a_key_of_another_type_is_replaced(limit: SharedLimit, raw: Any) -> None:
    raw.rpush(KEY, "a", "list")
    assert take(limit, 3) == Grant(3, 0.0)
    assert raw.type(KEY) == b"string"


def test_a_smaller_limit_takes_hold_at_once_and_a_larger_one_too(limit: SharedLimit) -> None:
    take(limit, 5)
    assert take(limit, 5, burst=2).granted == 0
    assert take(limit, 5, burst=8).granted == 3


def test_a_full_redis_is_none_and_heals(limit: SharedLimit, raw: Any) -> None:
    raw.config_set("maxmemory", 1)
    try:
        assert limit.take([Want("team-a", 1.0, 1, 1)]) == {}
    finally:
        raw.config_set("maxmemory", 0)
    assert take(limit, 1).granted == 1


def test_the_limit_outlives_its_redis_and_is_shared_again_when_it_is_back(
    limit: SharedLimit, running: RedisServer
) -> None:
    assert take(limit, 5).granted == 5
    running.stop()
    assert limit.take([Want("team-a", asked=1, **SLOW)]) == {}
    assert not limit.is_up
    running.start()
    wait_until("Redis is asked again", lambda: limit.is_up)
    assert take(limit, 9).granted == 5


def test_a_redis_that_accepts_and_never_answers_costs_one_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        limit = SharedLimit.from_url(url, timeout_s=0.5, retry_after_s=600.0)
        start = time.monotonic()
        for _ in range(50):
            assert limit.take([Want("team-a", 1.0, 1, 1)]) == {}
        assert time.monotonic() - start < 50 * 0.5 / 2
        limit.close()


def test_a_password_that_is_wrong_is_none(tmp_path: Path, running: RedisServer) -> None:
    limit = SharedLimit.from_url(running.url.replace("redis://", "redis://:wrong@"))
    assert limit.take([Want("team-a", 1.0, 1, 1)]) == {}
    limit.close()
