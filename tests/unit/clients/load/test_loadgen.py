"""The load never exceeds its bound, loses nothing, and its numbers are right."""

import asyncio

import pytest

from clients.client import AsyncClient
from clients.errors import ServiceUnreachable, TaskNotFound
from clients.load.closed import Ask, Outcome, latency_summary, run_load
from tests.unit.clients.fake_service import FakeService


def load(service, asks, **kwargs):
    async def once():
        async with AsyncClient(transport=service.slow_transport()) as client:
            return await run_load(client, asks, **kwargs)

    return asyncio.run(once())


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (4, 4), (100, 20)])
def test_never_more_than_n_in_flight(concurrency, most):
    service = FakeService(delay_s=0.002)
    outcomes = load(service, [Ask(b"x", "digits")] * 20, concurrency=concurrency)
    assert service.most_in_flight == most
    assert len(service.requests) == len(outcomes) == 20


def test_every_ask_has_its_outcome_in_order(service):
    asks = [Ask(b"%d" % i, ("digits", "nope", "shapes")[i % 3], top_k=1) for i in range(9)]
    told = []
    outcomes = load(service, asks, concurrency=3, on_done=told.append)
    assert [o.ask_index for o in outcomes] == list(range(9))
    assert sorted(told, key=lambda o: o.ask_index) == list(outcomes)
    for ask, outcome in zip(asks, outcomes, strict=True):
        assert outcome.started_s >= 0
        assert outcome.latency_s > 0
        if ask.task == "nope":
            assert (outcome.status, outcome.answer, outcome.batch) == (404, None, None)
            assert isinstance(outcome.error, TaskNotFound)
        else:
            assert (outcome.status, outcome.error) == (200, None)
            assert outcome.answer.task == ask.task
            assert outcome.batch.rows == 8


def test_a_dead_service_is_an_outcome_too():
    async def once():
        async with AsyncClient("http://127.0.0.1:1") as client:
            return await run_load(client, [Ask(b"x", "digits")], concurrency=2)

    (outcome,) = asyncio.run(once())
    assert outcome.status is None
    assert isinstance(outcome.error, ServiceUnreachable)


def test_no_asks_no_outcomes(service):
    assert load(service, [], concurrency=3) == ()


def test_a_bound_below_one_is_refused(service):
    with pytest.raises(ValueError, match="expected at least 1, found 0"):
        load(service, [Ask(b"x", "digits")], concurrency=0)


def test_summary_of_known_outcomes():
    error = TaskNotFound("no", status=404)
    outcomes = [Outcome(i, 200, i * 0.1, (i + 1) / 1000) for i in range(100)]
    outcomes.append(Outcome(100, 404, 0.0, 10.0, error=error))
    summary = latency_summary(outcomes)
    assert summary == {
        "p50_ms": pytest.approx(50.0),
        "p99_ms": pytest.approx(99.0),
        "requests_per_s": pytest.approx(10.0),
        "failed": 1,
    }


def test_summary_without_an_answer_invents_no_number():
    assert latency_summary([]) == {
        "p50_ms": None,
        "p99_ms": None,
        "requests_per_s": 0.0,
        "failed": 0,
    }
    only_failed = [Outcome(0, 503, 0.0, 1.0, error=TaskNotFound("no"))]
    assert latency_summary(only_failed)["p50_ms"] is None
    assert latency_summary(only_failed)["failed"] == 1
