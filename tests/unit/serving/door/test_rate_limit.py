"""No tenant gets more than his rate, in one process or in several, with Redis or without."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from adapters.redis.shared_limit import Grant, SharedLimit, Want
from serving.door.rate_limit import RateLimit
from serving.door.tenants import Tenant
from tests.fakes.waiting import wait_until


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class MemoryLimit(SharedLimit):
    """What Redis does, in a dict; counts how often it is asked, and can be switched off."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(Redis())
        self.clock = clock
        self.tokens: dict[str, tuple[float, float]] = {}
        self.asked: list[int] = []
        self.commands = 0
        self.is_dead = False

    def take(self, wants: Sequence[Want]) -> dict[str, Grant]:
        if self.is_dead:
            return {}
        self.commands += 1
        return {want.name: self.take_one(*want) for want in wants}

    def take_one(self, name: str, rate: float, burst: int, count: int) -> Grant:
        self.asked.append(count)
        tokens, since = self.tokens.get(name, (float(burst), self.clock()))
        tokens = min(burst, tokens + (self.clock() - since) * rate)
        granted = min(count, int(tokens))
        self.tokens[name] = (tokens - granted, self.clock())
        wait = 0.0 if granted == count else max(0.0, (1 - (tokens - granted)) / rate)
        return Grant(granted, wait)


def take(limit: RateLimit, who: Tenant, rows: int) -> Grant:
    """Take the rows of a batch of one tenant."""
    return limit.take({who: rows})[who]


def tenant(name: str = "team-a", rate: float = 10.0, burst: int = 5) -> Tenant:
    return Tenant(name=name, keys=(), tasks=(), requests_per_s=rate, burst=burst)


def patient(shared: SharedLimit | None, clock: Clock) -> RateLimit:
    """Return a limit that always waits for the shared bucket, however busy the machine is."""
    return RateLimit(shared, clock=clock, patience_s=60.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(clock: Clock) -> MemoryLimit:
    return MemoryLimit(clock)


def test_a_burst_goes_and_the_next_waits_for_the_rate(clock: Clock) -> None:
    limit = RateLimit(clock=clock)
    assert take(limit, tenant(), 3) == Grant(3, 0.0)
    granted, wait_s = take(limit, tenant(), 3)
    assert (granted, wait_s) == (2, pytest.approx(0.1))
    clock.now += 0.09
    assert take(limit, tenant(), 1) == Grant(0, pytest.approx(0.01))
    clock.now += 0.02
    assert take(limit, tenant(), 1) == Grant(1, 0.0)


def test_a_pause_fills_the_bucket_to_its_brim_and_no_further(clock: Clock) -> None:
    limit = RateLimit(clock=clock)
    take(limit, tenant(), 5)
    clock.now += 1000
    assert take(limit, tenant(), 50).granted == 5


def test_tenants_do_not_share_a_bucket(clock: Clock) -> None:
    limit = RateLimit(clock=clock)
    take(limit, tenant("team-a"), 100)
    assert take(limit, tenant("team-b"), 5).granted == 5


def test_a_changed_rate_takes_hold_at_once(clock: Clock) -> None:
    limit = RateLimit(clock=clock)
    take(limit, tenant(rate=0.001), 5)
    clock.now += 1
    assert take(limit, tenant(rate=0.001), 1).granted == 0
    assert take(limit, tenant(rate=100.0), 1).wait_s == pytest.approx(0.01)
    clock.now += 1
    assert take(limit, tenant(rate=100.0), 9).granted == 5


Steps = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 40)), min_size=1, max_size=40)


@settings(max_examples=200, deadline=None)
@given(steps=Steps, rate=st.floats(0.1, 1000), burst=st.integers(1, 50), with_redis=st.booleans())
def test_over_any_time_no_more_than_the_burst_and_the_rate(
    steps: Sequence[tuple[float, int]], rate: float, burst: int, with_redis: bool
) -> None:
    clock = Clock()
    limit = patient(MemoryLimit(clock) if with_redis else None, clock)
    who, taken = tenant(rate=rate, burst=burst), [(clock.now, 0)]
    for pause, rows in steps:
        clock.now += pause
        granted, wait_s = take(limit, who, rows)
        assert 0 <= granted <= rows
        assert (granted == rows) or 0 <= wait_s <= 1 / rate + 1e-9
        taken.append((clock.now, granted))
    for i in range(1, len(taken)):
        rows = sum(granted for _, granted in taken[i:])
        assert rows <= burst + rate * (taken[-1][0] - taken[i][0]) + rate * 0.1 + 1e-6


@settings(max_examples=20, deadline=None)
@given(rate=st.floats(1, 500), burst=st.integers(1, 50), share=st.floats(0.1, 0.99))
def test_who_stays_below_his_rate_is_never_refused(rate: float, burst: int, share: float) -> None:
    clock = Clock()
    limit = patient(MemoryLimit(clock), clock)
    for _ in range(300):
        clock.now += 1 / (rate * share)
        assert take(limit, tenant(rate=rate, burst=burst), 1).granted == 1


def test_several_processes_together_keep_to_one_rate(clock: Clock, shared: MemoryLimit) -> None:
    limits = [patient(shared, clock) for _ in range(4)]
    who, passed = tenant(rate=100.0, burst=20), 0
    for _ in range(1000):
        clock.now += 0.01
        passed += sum(take(limit, who, 3).granted for limit in limits)
    assert 950 <= passed <= 20 + 100 * 10


def test_without_redis_each_process_limits_on_its_own(clock: Clock, shared: MemoryLimit) -> None:
    limit, who = patient(shared, clock), tenant(rate=100.0, burst=20)
    shared.is_dead = True
    passed = 0
    for _ in range(1000):
        clock.now += 0.01
        passed += take(limit, who, 10).granted
    assert 950 <= passed <= 20 + 100 * 10


def test_a_redis_that_dies_gives_nobody_a_second_burst(clock: Clock, shared: MemoryLimit) -> None:
    limit = patient(shared, clock)
    assert take(limit, tenant(), 5).granted == 5
    shared.is_dead = True
    assert take(limit, tenant(), 5).granted == 0


class SlowLimit(MemoryLimit):
    """Answers when it is let."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.may_answer = threading.Event()

    def take(self, wants: Sequence[Want]) -> dict[str, Grant]:
        self.may_answer.wait(60)
        return super().take(wants)


def test_rows_wait_for_a_slow_redis_once_and_briefly_and_its_late_answer_is_used(
    clock: Clock,
) -> None:
    shared, who = SlowLimit(clock), tenant(rate=100.0, burst=50)
    limit = RateLimit(shared, clock=clock, patience_s=0.5)
    began = time.monotonic()
    assert [take(limit, who, 1).granted for _ in range(20)] == [1] * 20
    assert 0.5 <= time.monotonic() - began < 20 * 0.5 / 2
    shared.may_answer.set()
    wait_until("Redis has answered", lambda: bool(shared.asked))
    clock.now += 1
    assert [take(limit, who, 1).granted for _ in range(10)] == [1] * 10
    limit.close()
    assert shared.asked == [10]


def test_a_slow_redis_gives_nobody_more_than_his_rate(clock: Clock) -> None:
    shared, who = SlowLimit(clock), tenant(rate=10.0, burst=5)
    limit = RateLimit(shared, clock=clock, patience_s=0.0)
    assert [take(limit, who, 3).granted for _ in range(3)] == [3, 2, 0]
    shared.may_answer.set()
    limit.close()


def test_redis_is_asked_once_for_many_rows_and_seldom_below_the_limit(
    clock: Clock, shared: MemoryLimit
) -> None:
    limit, who = patient(shared, clock), tenant(rate=1000.0, burst=1000)
    take(limit, who, 32)
    assert shared.asked == [100]
    for _ in range(900):
        clock.now += 1 / 900
        assert take(limit, who, 1).granted == 1
    assert len(shared.asked) <= 11


def test_a_flood_does_not_reach_redis(clock: Clock, shared: MemoryLimit) -> None:
    limit, who = patient(shared, clock), tenant(rate=10.0, burst=10)
    for _ in range(1000):
        clock.now += 0.001
        take(limit, who, 32)
    assert len(shared.asked) <= 21


def test_while_the_shared_bucket_is_known_to_be_empty_nobody_asks(
    clock: Clock, shared: MemoryLimit
) -> None:
    others, here = patient(shared, clock), patient(shared, clock)
    who = tenant(rate=10.0, burst=5)
    take(others, who, 5)
    assert take(here, who, 1) == Grant(0, pytest.approx(0.1))
    asked = len(shared.asked)
    for _ in range(4):
        clock.now += 0.02
        granted, wait_s = take(here, who, 1)
        assert (granted, wait_s <= 0.1) == (0, True)
    assert len(shared.asked) == asked
    clock.now += 0.021
    assert take(here, who, 1).granted == 1


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_a_batch_of_any_size_costs_one_command_at_most(
    clock: Clock, shared: MemoryLimit, rows: Any
) -> None:
    limit = patient(shared, clock)
    for _ in range(50):
        before = len(shared.asked)
        take(limit, tenant(rate=200.0, burst=100), rows)
        clock.now += 0.02
        assert len(shared.asked) - before <= 1


def test_all_tenants_of_a_batch_cost_one_command_and_one_wait(
    clock: Clock, shared: MemoryLimit
) -> None:
    limit, wanted = patient(shared, clock), {tenant(f"team-{i}"): 2 for i in range(32)}
    assert {grant.granted for grant in limit.take(wanted).values()} == {2}
    assert (shared.commands, len(shared.asked)) == (1, 32)
    slow = SlowLimit(clock)
    limit = RateLimit(slow, clock=clock, patience_s=0.5)
    began = time.monotonic()
    assert {grant.granted for grant in limit.take(wanted).values()} == {2}
    assert time.monotonic() - began < len(wanted) * 0.5 / 2
    slow.may_answer.set()
    limit.close()


def test_a_redis_that_answers_anything_poisons_no_tenants_account(
    clock: Clock, shared: MemoryLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, who = patient(shared, clock), tenant()
    with monkeypatch.context() as patch:
        patch.setattr(shared, "take", lambda _: [].nothing)  # type: ignore[attr-defined]
        assert take(limit, who, 1) == Grant(1, 0.0)
    assert take(limit, who, 2) == Grant(2, 0.0)
    assert shared.commands == 1
