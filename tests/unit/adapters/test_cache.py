import logging
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from adapters.cache import MAX_ARTIFACT_BYTES, AdapterCache, CacheStats
from adapters.codec import version_of
from adapters.store import Pointer

VERSION = "ab" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeRedis(Redis):
    """Answers every command with `answer`, or raises it; remembers the commands."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.sent: list[str] = []

    def _reply(self, name: str) -> Any:
        self.sent.append(name)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def hmget(self, *_: Any) -> Any:
        return self._reply("hmget")

    def getrange(self, *_: Any) -> Any:
        return self._reply("getrange")

    def unlink(self, *_: Any) -> Any:
        return self._reply("unlink")

    def eval(self, *_: Any) -> Any:
        return self._reply("eval")

    def set(self, *_: Any, **__: Any) -> Any:
        return self._reply("set")

    def __del__(self) -> None:
        pass


def make_cache(answer: Any) -> tuple[AdapterCache, FakeRedis, Clock]:
    redis, clock = FakeRedis(answer), Clock()
    return AdapterCache(redis, retry_after_s=1.0, clock=clock), redis, clock


DOWN = RedisConnectionError("refused")


def every_call(cache: AdapterCache) -> list[Callable[[], object]]:
    return [
        lambda: cache.get_pointer("pets"),
        lambda: cache.set_pointer("pets", Pointer(version=VERSION, sequence=1)),
        lambda: cache.forget_pointer("pets"),
        lambda: cache.get_artifact(VERSION),
        lambda: cache.put_artifact(VERSION, b"data"),
    ]


@pytest.mark.parametrize(
    "error",
    [DOWN, TimeoutError("slow"), ResponseError("OOM"), UnicodeDecodeError("x", b"", 0, 1, "")],
)
def test_no_error_of_redis_reaches_the_caller(error: Exception) -> None:
    for i in range(5):
        cache, _, _ = make_cache(error)
        assert every_call(cache)[i]() is None
        assert cache.stats.errors == 1


def test_after_a_failure_nothing_is_sent_until_the_retry_and_then_one_probe() -> None:
    cache, redis, clock = make_cache(DOWN)
    cache.get_pointer("pets")
    assert not cache.is_up
    for call in every_call(cache):
        call()
    assert redis.sent == ["hmget"]
    clock.now += 1.0
    for call in every_call(cache):
        call()
    assert redis.sent == ["hmget", "hmget"]


def test_a_probe_that_is_answered_opens_the_way_for_everybody() -> None:
    cache, redis, clock = make_cache(DOWN)
    cache.get_pointer("pets")
    clock.now += 1.0
    redis.answer = [VERSION.encode(), b"7"]
    assert cache.get_pointer("pets") == Pointer(version=VERSION, sequence=7)
    assert cache.is_up
    assert cache.get_pointer("pets") == Pointer(version=VERSION, sequence=7)


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "adapters.cache")
    cache, redis, clock = make_cache(DOWN)
    for _ in range(5):
        cache.get_pointer("pets")
        clock.now += 1.0
    redis.answer = [None, None]
    for _ in range(5):
        cache.get_pointer("pets")
    assert [r.getMessage().split("(")[0].strip() for r in caplog.records] == [
        "Redis is down",
        "Redis is up again",
    ]


def test_an_error_that_the_server_answers_does_not_count_as_an_outage() -> None:
    cache, redis, _ = make_cache(ResponseError("OOM command not allowed"))
    cache.get_pointer("pets")
    cache.get_pointer("pets")
    assert cache.is_up
    assert redis.sent == ["hmget", "hmget"]


@pytest.mark.parametrize(
    "fields",
    [
        [VERSION.encode(), None],
        [None, b"1"],
        [b"../../etc/passwd", b"1"],
        [VERSION.upper().encode(), b"1"],
        [VERSION.encode(), b"-1"],
        [VERSION.encode(), b"0"],
        [VERSION.encode(), b"1e9"],
        [VERSION.encode(), b"9" * 400],
        [b"\xff" * 64, b"1"],
        [VERSION, "1"],
        [VERSION.encode(), b"1", b"2"],
    ],
)
def test_a_pointer_that_is_not_one_is_a_miss_and_is_deleted(fields: list[Any]) -> None:
    cache, redis, _ = make_cache(fields)
    assert cache.get_pointer("pets") is None
    assert redis.sent == ["hmget", "unlink"]
    assert cache.stats == CacheStats(misses=1)


@pytest.mark.parametrize("data", [b"other bytes", "text", 7, [b"list"]])
def test_an_artifact_with_other_bytes_is_a_miss_and_is_deleted(data: Any) -> None:
    cache, redis, _ = make_cache(data)
    assert cache.get_artifact(VERSION) is None
    assert redis.sent == ["getrange", "unlink"]
    assert cache.stats == CacheStats(misses=1)


def test_an_artifact_with_the_right_bytes_is_a_hit() -> None:
    cache, _, _ = make_cache(b"data")
    assert cache.get_artifact(version_of(b"data")) == b"data"
    assert cache.stats == CacheStats(hits=1)


def test_nothing_is_sent_for_what_is_not_a_version_or_too_large() -> None:
    cache, redis, _ = make_cache(b"data")
    assert cache.get_artifact("*") is None
    cache.put_artifact(VERSION, bytes(MAX_ARTIFACT_BYTES + 1))
    assert redis.sent == []
    cache.put_artifact(VERSION, bytes(MAX_ARTIFACT_BYTES))
    assert redis.sent == ["set"]


def test_an_address_that_is_not_of_a_redis_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="redis://"):
        AdapterCache.from_url("http://127.0.0.1")
