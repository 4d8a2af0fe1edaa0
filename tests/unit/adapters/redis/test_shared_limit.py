"""A Redis that cannot count is never an error, and never in the way for long."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from adapters.redis.shared_limit import Grant, SharedLimit, Want
from tests.fakes.waiting import wait_until


class FakeRedis(Redis):
    """Answers with `answer`, or raises it; remembers who sent what."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer
        self.sent: list[tuple[str, str]] = []
        self.closed = False

    def _reply(self, name: str) -> Any:
        self.sent.append((name, threading.current_thread().name))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def eval(self, *_: Any) -> Any:
        return self._reply("eval")

    def ping(self, **_: Any) -> Any:
        return self._reply("ping")

    def close(self) -> None:
        self.closed = True

    def __del__(self) -> None:
        pass

    def commands(self) -> list[str]:
        return [name for name, _ in self.sent]


DOWN = RedisConnectionError("refused")


def take(limit: SharedLimit, count: int = 2) -> Grant | None:
    return limit.take([Want("team-a", 10.0, 5, count)]).get("team-a")


@pytest.fixture
def make() -> Any:
    made: list[SharedLimit] = []

    def limit(answer: Any, retry_after_s: float = 3600.0) -> tuple[SharedLimit, FakeRedis]:
        redis = FakeRedis(answer)
        made.append(SharedLimit(redis, retry_after_s=retry_after_s))
        return made[-1], redis

    yield limit
    for one in made:
        one.close()


Make = Callable[..., tuple[SharedLimit, FakeRedis]]


def test_an_answer_is_a_grant(make: Make) -> None:
    assert take(make([[1, 250_000]])[0]) == Grant(1, 0.25)
    assert take(make([[2, 0]])[0]) == Grant(2, 0.0)


def test_one_command_asks_for_all_and_each_gets_its_own_answer(make: Make) -> None:
    limit, redis = make([[1, 250_000], [7, 0], b"OK", [2, 0]])
    wants = [Want(name, 10.0, 5, 2) for name in "abcd"]
    assert limit.take(wants) == {"a": Grant(1, 0.25), "d": Grant(2, 0.0)}
    assert redis.commands() == ["eval"]
    assert limit.take([]) == {}
    assert redis.commands() == ["eval"]


@pytest.mark.parametrize(
    "answer",
    [
        *(None, b"OK", [], [1], {}, 7, [1, 0], [[1, 0], [1, 0]]),
        *([one] for one in ([1], [3, 0], [-1, 0], [1, -5], [b"1", b"0"], [1, 0, 0], [[[1]]])),
    ],
)
def test_an_answer_that_cannot_be_is_none(make: Make, answer: Any) -> None:
    limit, _ = make(answer)
    assert take(limit) is None
    assert limit.is_up


@pytest.mark.parametrize(
    "error",
    [
        *(DOWN, TimeoutError("slow"), OSError("gone"), ValueError("odd")),
        *(RecursionError("nested"), KeyError("odder")),
    ],
)
def test_after_one_failure_nobody_waits_again(make: Make, error: Exception) -> None:
    limit, redis = make(error)
    for _ in range(5):
        assert take(limit) is None
    assert redis.commands() == ["eval"]
    assert not limit.is_up


def test_a_thread_asks_whether_it_is_back_and_callers_do_not(make: Make) -> None:
    limit, redis = make(DOWN, retry_after_s=0.01)
    take(limit)
    wait_until("three questions were asked", lambda: len(redis.sent) >= 4)
    assert redis.commands()[1:4] == ["ping"] * 3
    assert {thread for name, thread in redis.sent if name == "ping"} == {"rate"}
    redis.answer = [[2, 0]]
    wait_until("Redis is asked again", lambda: limit.is_up)
    assert take(limit) == Grant(2, 0.0)


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    limit, redis = make(DOWN, retry_after_s=0.01)
    with caplog.at_level(logging.WARNING):
        take(limit)
        wait_until("three questions were asked", lambda: len(redis.sent) >= 4)
        redis.answer = [[2, 0]]
        wait_until("Redis is asked again", lambda: limit.is_up)
        wait_until("both are logged", lambda: len(caplog.messages) == 2)
    assert "Redis is down (ConnectionError: refused)" in caplog.messages[0]
    assert "limits are shared again" in caplog.messages[1]


def test_a_redis_that_refuses_is_asked_again_and_complained_of_once(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    limit, redis = make(ResponseError("OOM command not allowed"))
    assert [take(limit), take(limit)] == [None, None]
    assert limit.is_up
    redis.answer = [[2, 0]]
    assert take(limit) == Grant(2, 0.0)
    assert [message.split(" (")[0] for message in caplog.messages] == ["Redis refuses to count"]


def test_close_ends_the_thread_that_asks(make: Make) -> None:
    limit, redis = make(DOWN, retry_after_s=0.01)
    take(limit)
    limit.close()
    assert redis.closed
    wait_until(
        "the thread has ended",
        lambda: all(thread.name != "rate" for thread in threading.enumerate()),
    )


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not the address of a Redis"):
        SharedLimit.from_url("http://127.0.0.1")
