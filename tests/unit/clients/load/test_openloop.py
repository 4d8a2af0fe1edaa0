"""The schedule holds whatever the service does, and its waiting is counted in full."""

import asyncio
import itertools

import pytest

from clients.client import AsyncClient
from clients.errors import TaskNotFound
from clients.load.closed import Ask, latency_summary
from clients.load.open import OpenLoad, run_rate
from tests.unit.clients.fake_service import FakeService


class OneAtATime(FakeService):
    """Answers in turn, each after `delay_s`, as a service does that is saturated."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(delay_s=delay_s)
        self.turn = asyncio.Lock()

    async def handle_slowly(self, request):
        async with self.turn:
            return await super().handle_slowly(request)


def load(service, asks, *args, **kwargs) -> OpenLoad:
    async def once():
        async with AsyncClient(transport=service.slow_transport()) as client:
            return await run_rate(client, asks, *args, **kwargs)

    return asyncio.run(once())


def test_every_request_is_due_at_its_time():
    found = load(FakeService(), itertools.repeat(Ask(b"x", "digits")), 200, 0.1)
    assert [o.ask_index for o in found.outcomes] == list(range(20))
    assert [o.started_s for o in found.outcomes] == pytest.approx([i / 200 for i in range(20)])
    assert all(o.error is None and o.latency_s > 0 for o in found.outcomes)
    assert found.held_back == 0


def test_a_slow_service_does_not_slow_the_schedule():
    service = FakeService(delay_s=0.1)
    found = load(service, [Ask(b"x", "digits")] * 10, 1000, 1)
    assert service.most_in_flight == len(found.outcomes) == 10


def test_latency_grows_where_requests_come_faster_than_answers():
    found = load(OneAtATime(0.01), itertools.repeat(Ask(b"x", "digits")), 400, 0.05)
    for index, outcome in enumerate(found.outcomes):
        assert outcome.latency_s > (index + 1) * 0.01 - index / 400 - 0.002
    assert found.outcomes[-1].latency_s > 5 * found.outcomes[0].latency_s


def test_waiting_for_a_place_is_counted_and_told():
    service = FakeService(delay_s=0.02)
    asks = [Ask(b"x", "digits")] * 6
    found = load(service, asks, 10_000, 1, most_in_flight=2)
    assert service.most_in_flight == 2
    assert found.held_back == 4
    assert found.outcomes[-1].latency_s > 0.05


def test_an_error_is_an_outcome_and_the_summary_counts_it():
    asks = [Ask(b"x", "digits"), Ask(b"x", "nope")]
    found = load(FakeService(), asks, 1000, 1)
    assert isinstance(found.outcomes[1].error, TaskNotFound)
    assert latency_summary(found.outcomes)["failed"] == 1


@pytest.mark.parametrize("wrong", [(0, 1, 1), (1, -1, 1), (1, 1, 0)])
def test_what_makes_no_load_is_refused(wrong):
    rate, seconds, most = wrong
    with pytest.raises(ValueError, match="expected a positive"):
        load(FakeService(), [], rate, seconds, most_in_flight=most)
