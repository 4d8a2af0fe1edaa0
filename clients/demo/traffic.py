"""Mixed traffic over HTTP, and a publication in the middle of it.

Knows when requests are sent; what the answers should be, `records` knows.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from clients.client import AsyncClient
from clients.demo.plan import Plan
from clients.demo.records import Phase, Pick, Record
from clients.demo.trained import Prediction
from clients.load.closed import Ask, Outcome, run_load

Watch = Callable[[Record], None]


@dataclass(frozen=True)
class Publication:
    """A publication while traffic ran; times as in a `Record`."""

    version: str
    began_s: float
    returned_s: float


def picks(samples: Mapping[str, Sequence[Prediction]], seed: int) -> Iterator[Pick]:
    """Yield tasks and test images at random, without end, the same ones for the same seed."""
    generator, tasks = random.Random(seed), sorted(samples)
    while True:
        task = generator.choice(tasks)
        yield Pick(task, generator.choice(samples[task]))


@dataclass
class Traffic:
    """Sends picks to one service and keeps a record of each.

    Attributes:
        concurrency: how many askers, each with one request in flight.
        watch: told of each record as it comes.
    """

    client: AsyncClient
    picks: Iterator[Pick]
    concurrency: int
    watch: Watch
    records: list[Record] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def now_s(self) -> float:
        """Return the seconds since the traffic began."""
        return time.perf_counter() - self.began

    async def send(self, phase: Phase, more: Callable[[int], bool]) -> None:
        """Send as long as `more` of the number sent so far says so; wait for all answers."""
        sent: list[Pick] = []
        offset_s = self.now_s()

        def asks() -> Iterator[Ask]:
            while more(len(sent)):
                sent.append(next(self.picks))
                yield Ask(sent[-1].sample.image.read_bytes(), sent[-1].task, top_k=1)

        def done(outcome: Outcome) -> None:
            shifted = replace(outcome, started_s=outcome.started_s + offset_s)
            record = Record(phase, sent[outcome.ask_index], shifted)
            self.records.append(record)
            self.watch(record)

        await run_load(self.client, asks(), concurrency=self.concurrency, on_done=done)


async def send_through_swap(
    traffic: Traffic, plan: Plan, publish: Callable[[], Awaitable[str]]
) -> Publication:
    """Keep the traffic up while `publish` runs, until its version answers.

    The publication begins when a third of the planned requests is answered. Without a takeover
    the traffic ends after the plan's limit.
    """
    swap = _Swap(traffic, plan, publish)
    publication = asyncio.create_task(swap.publish_in_time())
    try:
        await traffic.send("swap", swap.more)
        swap.is_over = True
        return await publication
    finally:
        publication.cancel()


@dataclass
class _Swap:
    """Decides when to publish and how long to go on."""

    traffic: Traffic
    plan: Plan
    publish: Callable[[], Awaitable[str]]
    published: Publication | None = None
    is_over: bool = False

    async def publish_in_time(self) -> Publication:
        try:
            while not self.is_over and len(self._answered()) < self.plan.swap_requests // 3:
                await asyncio.sleep(0.005)
            began_s = self.traffic.now_s()
            version = await self.publish()
            self.published = Publication(version, began_s, self.traffic.now_s())
            return self.published
        finally:
            self.is_over = self.is_over or self.published is None

    def more(self, sent: int) -> bool:
        if self.is_over or self._failures() > self.plan.concurrency:
            return False
        if self.published is None or sent < self.plan.swap_requests:
            return True
        waited_s = self.traffic.now_s() - self.published.returned_s
        new = sum(record.version == self.published.version for record in self._answered())
        return new < self.plan.after_swap and waited_s < self.plan.takeover_limit_s

    def _answered(self) -> list[Record]:
        return [record for record in self.traffic.records if record.phase == "swap"]

    def _failures(self) -> int:
        return sum(record.outcome.error is not None for record in self._answered())
