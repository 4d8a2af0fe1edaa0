"""A load on a running service, and what one row of the table says of it."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from clients.load.closed import Ask, Outcome, latency_summary, run_load
from clients.load.open import run_rate
from serving.launch.running import Running
from tests.bench.lean_client import LeanClient
from tests.fakes.workers import fork_servers_of, workers_of

CALLERS = 64
"""Two full batches: one is computed while the other is collected."""

SETTLING_S = 1.0
"""Connections are made and the first batches are small: not counted."""


@dataclass(frozen=True)
class Target:
    """A service, what to ask it, and which of its models answers for a task."""

    name: str
    process: Running
    asks: Sequence[Ask]
    model_of: Callable[[str], str] = lambda _: "spt"

    def client(self) -> LeanClient:
        """Return a new client of it."""
        return LeanClient(self.process.url, self.model_of)


class Asked(Protocol):
    """What a load is offered to."""

    @property
    def asks(self) -> Sequence[Ask]:
        """What is asked, in turn."""

    @property
    def client(self) -> Callable[[], LeanClient]:
        """Makes a new client."""


@dataclass(frozen=True)
class Load:
    """What became of one load.

    Attributes:
        outcomes: of the requests that count.
        answered_per_s: good answers.
        held_back: requests of an open load that had to wait to be sent.
        client_share: of one core, taken by the load itself.
        answered: good answers from the first request to the last, settling included.
    """

    outcomes: tuple[Outcome, ...]
    answered_per_s: float
    held_back: int
    client_share: float
    answered: int = 0

    def row(self, target: Target, load: str, offered_per_s: float | None) -> dict[str, Any]:
        """Return what the table says of it."""
        summary = latency_summary(self.outcomes)
        rss, pss = workers_mb(target.process)
        return {
            "service": target.name,
            "load": load,
            "offered_per_s": offered_per_s,
            "answered_per_s": self.answered_per_s,
            "p50_ms": summary["p50_ms"],
            "p99_ms": summary["p99_ms"],
            "failed": summary["failed"],
            "workers_rss_mb": rss,
            "workers_pss_mb": pss,
        }


def saturate(target: Asked, seconds: float, callers: int = CALLERS) -> Load:
    """Keep so many callers waiting for so many seconds; count the answers that came in them."""

    async def once() -> tuple[Outcome, ...]:
        async with target.client() as client:
            return await run_load(client, _for(seconds, target.asks), concurrency=callers)

    cpu, began = time.process_time(), time.perf_counter()
    outcomes = asyncio.run(once())
    share = (time.process_time() - cpu) / (time.perf_counter() - began)
    done = tuple(o for o in outcomes if SETTLING_S <= o.started_s + o.latency_s < seconds)
    answered = sum(o.error is None for o in outcomes)
    return Load(done, _answered_per_s(outcomes, seconds), 0, share, answered)


def offer(target: Asked, rate_per_s: float, seconds: float) -> Load:
    """Send at a constant rate for so many seconds; latencies count from when each was due."""

    async def once():
        async with target.client() as client:
            return await run_rate(client, itertools.cycle(target.asks), rate_per_s, seconds)

    cpu, began = time.process_time(), time.perf_counter()
    load = asyncio.run(once())
    share = (time.process_time() - cpu) / (time.perf_counter() - began)
    counted = tuple(o for o in load.outcomes if o.started_s >= SETTLING_S)
    return Load(counted, _answered_per_s(load.outcomes, seconds), load.held_back, share)


def _answered_per_s(outcomes: Sequence[Outcome], seconds: float) -> float:
    """Count the good answers that came between settling and the end of the load."""
    ends = [o.started_s + o.latency_s for o in outcomes if o.error is None]
    return sum(SETTLING_S <= end < seconds for end in ends) / (seconds - SETTLING_S)


def _for(seconds: float, asks: Sequence[Ask]) -> Iterator[Ask]:
    ends = time.perf_counter() + seconds
    return itertools.takewhile(lambda _: time.perf_counter() < ends, itertools.cycle(asks))


def workers_mb(service: Running) -> tuple[float, float]:
    """Return the memory of the workers and what they are forks of: resident, and their share of it.

    A page that several processes have is divided among them in the share.
    """
    workers = workers_of(service)
    used = [one.memory_full_info() for one in (*workers, *fork_servers_of(workers))]
    return sum(one.rss for one in used) / 1e6, sum(one.pss for one in used) / 1e6
