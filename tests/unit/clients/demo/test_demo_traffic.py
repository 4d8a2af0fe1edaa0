"""The traffic goes on through a publication, and ends whatever becomes of it."""

import asyncio
from dataclasses import dataclass, replace
from itertools import islice

import httpx
import pytest

from clients.client import AsyncClient
from clients.demo.errors import DemoError
from clients.demo.plan import make_plan
from clients.demo.traffic import Traffic, picks, send_through_swap
from serving.protocol import Answer
from tests.unit.clients.demo.demo_evidence import NEW, trained
from tests.unit.clients.fake_service import VERSION, FakeService


@dataclass
class SwappingService(FakeService):
    """Answers with another version once told to."""

    version: str = VERSION

    def entry(self, name, top_k):
        answer = super().entry(name, top_k)
        update = {"version": self.version}
        return answer.model_copy(update=update) if isinstance(answer, Answer) else answer


@pytest.fixture
def samples(tmp_path):
    return {name: trained(tmp_path / name / "run", right=[True]).predictions for name in TASKS}


TASKS = ("digits", "shapes")
PLAN = replace(
    make_plan("out", quick=True),
    concurrency=4, requests=20, swap_requests=30, after_swap=5, takeover_limit_s=0.1,
)  # fmt: skip


def swap(service, samples, publish):
    seen = []

    async def once():
        async with AsyncClient(transport=service.slow_transport()) as client:
            traffic = Traffic(client, picks(samples, 0), PLAN.concurrency, seen.append)
            await traffic.send("mixed", lambda sent: sent < PLAN.requests)
            return traffic.records, await send_through_swap(traffic, PLAN, publish)

    records, publication = asyncio.run(once())
    assert seen == records
    return records, publication


def test_the_same_seed_asks_the_same(samples):
    first, again, other = (list(islice(picks(samples, seed), 50)) for seed in (1, 1, 2))
    assert first == again != other
    assert {pick.task for pick in first} == set(TASKS)


def test_requests_go_on_while_a_version_is_published(samples):
    service = SwappingService(delay_s=0.001)

    async def publish():
        await asyncio.sleep(0.05)
        service.version = NEW
        return NEW

    records, publication = swap(service, samples, publish)
    during = [record for record in records if record.phase == "swap"]
    assert len(records) - len(during) == PLAN.requests
    assert len(during) >= PLAN.swap_requests
    assert publication.version == NEW
    assert publication.began_s < publication.returned_s
    assert sum(record.version == NEW for record in during) >= PLAN.after_swap
    assert any(publication.began_s < r.done_s < publication.returned_s for r in during)
    times = [record.done_s for record in records]
    assert times == sorted(times)


def test_without_a_takeover_the_traffic_ends(samples):
    async def publish():
        return NEW

    records, publication = swap(SwappingService(delay_s=0.001), samples, publish)
    assert publication.version == NEW
    assert {record.version for record in records} == {VERSION}


def test_a_publication_that_fails_ends_the_traffic(samples):
    async def publish():
        raise DemoError("no")

    with pytest.raises(DemoError, match="no"):
        swap(SwappingService(delay_s=0.001), samples, publish)


def test_a_service_that_only_fails_is_not_asked_for_ever(samples):
    async def publish():
        return NEW

    records, _ = swap(SwappingService(reply=httpx.ConnectError("gone")), samples, publish)
    assert all(record.outcome.error for record in records)
    assert len(records) < PLAN.requests + 3 * PLAN.concurrency


def test_a_record_is_a_row_for_a_file(samples):
    async def publish():
        return NEW

    records, _ = swap(SwappingService(delay_s=0.001), samples, publish)
    row = records[0].row()
    assert row["version"] == VERSION
    assert (row["index"], row["batch"], row["error"]) == (0, "b7", None)
    assert "/" not in row["image"]
