import logging

import pytest

from adapters.redis.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_lets_everything_through_until_something_fails() -> None:
    breaker = Breaker()
    assert all(breaker.lets_through() for _ in range(3))
    breaker.failed("Redis is down", "refused")
    assert not breaker.is_up
    assert not breaker.lets_through()


def test_while_open_it_lets_one_caller_through_now_and_then() -> None:
    clock = Clock()
    breaker = Breaker(1.0, clock)
    breaker.failed("Redis is down", "refused")
    clock.now += 1.0
    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]
    breaker.failed("Redis is down", "refused")
    clock.now += 0.9
    assert not breaker.lets_through()


def test_while_open_and_probed_elsewhere_it_never_lets_a_caller_through() -> None:
    clock = Clock()
    breaker = Breaker(1.0, clock)
    breaker.is_probed_elsewhere = True
    assert breaker.lets_through()
    breaker.failed("Redis is down", "refused")
    clock.now += 1000.0
    assert not breaker.lets_through()
    breaker.answered()
    assert breaker.lets_through()


def test_each_trouble_is_logged_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    breaker = Breaker()
    for trouble in ["down", "down", "locked", "locked"]:
        breaker.failed(trouble, "why")
    for _ in range(2):
        breaker.answered()
    breaker.failed("down", "why")
    assert [r.getMessage().split(" (")[0] for r in caplog.records] == [
        *("down", "locked", "Redis is up again", "down")
    ]
