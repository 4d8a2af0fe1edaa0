import logging
from collections.abc import Callable
from typing import Any

import pytest
from redis import ConnectionPool, Redis
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from adapters.artifact.codec import version_of
from adapters.cache.redis_cache import MAX_ARTIFACT_BYTES, AdapterCache, CacheStats
from adapters.cache.redis_pointer import KeptPointer
from adapters.store.record import Pointer

VERSION = "ab" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakePool(ConnectionPool):
    """Has no connection to give, and counts how often the idle ones are dropped."""

    def __init__(self, error: Any) -> None:
        super().__init__()
        self.error = error
        self.dropped = 0

    def get_connection(self, *_: Any, **__: Any) -> Any:
        raise self.error

    def disconnect(self, inuse_connections: bool = True) -> None:
        self.dropped += not inuse_connections


class FakeRedis(Redis):
    """Answers every command with `answer`, or raises it; remembers the commands."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.sent: list[str] = []
        self.connection_pool = FakePool(answer)

    def _reply(self, name: str) -> Any:
        self.sent.append(name)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def getrange(self, *_: Any) -> Any:
        return self._reply("getrange")

    def unlink(self, *_: Any) -> Any:
        return self._reply("unlink")

    def publish(self, *_: Any, **__: Any) -> Any:
        return self._reply("publish")

    def ping(self, **_: Any) -> Any:
        return self._reply("ping")

    def pipeline(self, **_: Any) -> Any:
        return self._reply("pipeline")

    def set(self, *_: Any, **__: Any) -> Any:
        return self._reply("set")

    def __del__(self) -> None:
        pass


def make_cache(answer: Any) -> tuple[AdapterCache, FakeRedis, Clock]:
    redis, clock = FakeRedis(answer), Clock()
    cache = AdapterCache(redis, retry_after_s=1.0, clock=clock)
    cache.store_id = "5" * 32
    return cache, redis, clock


KEPT = KeptPointer(number=1, pointer=Pointer(version=VERSION, sequence=1))
DOWN = RedisConnectionError("refused")


def every_call(cache: AdapterCache) -> list[Callable[[], object]]:
    return [
        lambda: cache.announce("pets"),
        lambda: cache.get_pointer("pets"),
        lambda: cache.keep_pointer("pets", KEPT),
        lambda: cache.get_artifact(VERSION),
        lambda: cache.put_artifact(VERSION, b"data"),
        lambda: cache.answers() or None,
        lambda: next(cache.announcements(0.0), None),
    ]


@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        TimeoutError("slow"),
        ResponseError("OOM"),
        UnicodeDecodeError("x", b"", 0, 1, ""),
        RecursionError(),
        IndexError(),
        MemoryError(),
    ],
)
def test_no_error_of_redis_reaches_the_caller(error: Exception) -> None:
    for i in range(7):
        cache, redis, _ = make_cache(error)
        assert every_call(cache)[i]() is None
        assert cache.stats.errors == 1
        assert redis.connection_pool.dropped == (i != 6 and not isinstance(error, ResponseError))


def test_after_a_failure_nothing_is_sent_until_the_retry_and_then_one_probe() -> None:
    cache, redis, clock = make_cache(DOWN)
    cache.announce("pets")
    assert not cache.is_up
    for call in every_call(cache)[:5]:
        call()
    assert redis.sent == ["publish"]
    clock.now += 1.0
    for call in every_call(cache)[:5]:
        call()
    assert redis.sent == ["publish", "publish"]


def test_while_somebody_else_probes_no_caller_does_and_an_answer_ends_the_outage() -> None:
    cache, redis, clock = make_cache(DOWN)
    cache.probe_elsewhere(True)
    cache.announce("pets")
    clock.now += 1000.0
    for call in every_call(cache)[:5]:
        call()
    assert redis.sent == ["publish"]
    assert not cache.answers()
    redis.answer = True
    assert cache.answers()
    assert cache.is_up


@pytest.mark.parametrize("answer", [False, None, b"PONG", 7, [True]])
def test_what_is_no_answer_to_the_question_is_none(answer: Any) -> None:
    cache, _, _ = make_cache(answer)
    assert not cache.answers()


def test_until_it_is_known_whose_it_is_nothing_is_sent() -> None:
    cache, redis, _ = make_cache(True)
    cache.store_id = None
    cache.announce("pets")
    assert not cache.answers()
    assert redis.sent == []


def test_a_probe_that_is_answered_opens_the_way_for_everybody() -> None:
    cache, redis, clock = make_cache(DOWN)
    cache.announce("pets")
    clock.now += 1.0
    redis.answer = 1
    cache.announce("pets")
    assert cache.is_up
    cache.announce("pets")
    assert redis.sent == ["publish"] * 3


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    cache, redis, clock = make_cache(DOWN)
    for _ in range(5):
        cache.announce("pets")
        clock.now += 1.0
    redis.answer = []
    for _ in range(5):
        cache.announce("pets")
    assert [r.getMessage().split("(")[0].strip() for r in caplog.records] == [
        "Redis is down",
        "Redis is up again",
    ]


def test_an_error_that_the_server_answers_does_not_count_as_an_outage() -> None:
    cache, redis, _ = make_cache(ResponseError("OOM command not allowed"))
    cache.announce("pets")
    cache.announce("pets")
    assert cache.is_up
    assert redis.sent == ["publish", "publish"]


def test_what_redis_refuses_is_logged_once_for_each_kind_and_once_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache, redis, _ = make_cache(ResponseError("MISCONF no disk"))
    for _ in range(3):
        cache.announce("pets")
        cache.put_artifact(VERSION, b"data")
    redis.answer = []
    for _ in range(3):
        cache.announce("pets")
    assert [r.getMessage() for r in caplog.records] == [
        "Redis cannot announce a publish (ResponseError: MISCONF no disk); going on",
        "Redis cannot keep an artifact (ResponseError: MISCONF no disk); going on",
        "Redis can announce a publish again",
    ]


def test_a_wrong_password_is_told_from_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    cache, redis, clock = make_cache(AuthenticationError("invalid", status_code="WRONGPASS"))
    for error in (redis.answer, DOWN):
        redis.answer = error
        cache.announce("pets")
        clock.now += 1.0
    assert [r.getMessage() for r in caplog.records] == [
        "Redis refuses the user or password of REDIS_URL (WRONGPASS: invalid); "
        "going on from the store",
        "Redis is down (ConnectionError: refused); going on from the store",
    ]


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


@pytest.mark.parametrize("error", [DOWN, ResponseError("NOPERM"), RecursionError()])
def test_a_redis_that_cannot_tell_what_it_has_has_nothing(error: Exception) -> None:
    cache, redis, _ = make_cache(error)
    assert cache.holding([VERSION]) == frozenset()
    assert redis.sent == ["pipeline"]


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
