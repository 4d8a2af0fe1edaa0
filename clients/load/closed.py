"""A closed-loop load: N askers, each sends, waits for the answer, sends again.

Knows nothing of what the answers should be. Closed means that a slow service is asked less often:
the latencies hold for N callers that wait; `openloop` has those of a given arrival rate.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict

from clients.errors import ClientError
from clients.wire import BatchInfo
from serving.protocol import DEFAULT_TOP_K, Answer


class Predicting(Protocol):
    """What a load asks: `AsyncClient`, or anything with this call and its errors."""

    async def predict_with_batch(
        self, image: bytes, *, task: str, top_k: int
    ) -> tuple[Answer, BatchInfo | None]:
        """See `AsyncClient.predict_with_batch`."""


@dataclass(frozen=True)
class Ask:
    """One request to send; `expected`, the true label, stays here for the caller to compare."""

    image: bytes
    task: str
    expected: str | None = None
    top_k: int = DEFAULT_TOP_K


@dataclass(frozen=True)
class Outcome:
    """What became of `asks[ask_index]`: an answer or an error, never both.

    Attributes:
        status: the HTTP status, None if nothing answered.
        started_s: when it was sent, in seconds since the load began; in an open loop, when it was
            due.
        batch: which forward answered, where the service says so.
    """

    ask_index: int
    status: int | None
    started_s: float
    latency_s: float
    answer: Answer | None = None
    error: ClientError | None = None
    batch: BatchInfo | None = None


class LatencySummary(TypedDict):
    """Percentiles of the answered requests (None if there are none), their rate, and the rest."""

    p50_ms: float | None
    p99_ms: float | None
    requests_per_s: float
    failed: int


async def run_load(
    client: Predicting,
    asks: Iterable[Ask],
    *,
    concurrency: int,
    on_done: Callable[[Outcome], None] | None = None,
) -> tuple[Outcome, ...]:
    """Send every ask once, never more than `concurrency` at a time.

    Args:
        client: stays open; the caller closes it.
        asks: sent in this order; each is taken only when it can be sent.
        concurrency: how many askers, at least 1.
        on_done: told of each outcome as it comes.

    Returns:
        One outcome per ask, in the order of `asks`; errors of the service are outcomes too.

    Raises:
        ValueError: `concurrency` is below 1.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency: expected at least 1, found {concurrency}")
    queue, began, outcomes = enumerate(asks), time.perf_counter(), list[Outcome]()

    async def asker() -> None:
        for index, ask in queue:
            outcome = await ask_once(client, index, ask, began=began, since=time.perf_counter())
            outcomes.append(outcome)
            if on_done is not None:
                on_done(outcome)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(asker())
    return tuple(sorted(outcomes, key=lambda outcome: outcome.ask_index))


async def ask_once(
    client: Predicting, index: int, ask: Ask, *, began: float, since: float
) -> Outcome:
    """Send one ask; its latency counts from `since`, its start from `began`."""
    try:
        answer, batch = await client.predict_with_batch(ask.image, task=ask.task, top_k=ask.top_k)
    except ClientError as err:
        return Outcome(index, err.status, since - began, time.perf_counter() - since, error=err)
    latency_s = time.perf_counter() - since
    return Outcome(index, 200, since - began, latency_s, answer=answer, batch=batch)


def latency_summary(outcomes: Sequence[Outcome]) -> LatencySummary:
    """Summarise the answered requests; the time of the rate runs from first sent to last done."""
    answered = sorted(o.latency_s for o in outcomes if o.error is None)
    began = min((o.started_s for o in outcomes), default=0.0)
    ended = max((o.started_s + o.latency_s for o in outcomes), default=0.0)
    return LatencySummary(
        p50_ms=_percentile_ms(answered, 0.50),
        p99_ms=_percentile_ms(answered, 0.99),
        requests_per_s=len(answered) / (ended - began) if ended > began else 0.0,
        failed=len(outcomes) - len(answered),
    )


def _percentile_ms(ascending_s: Sequence[float], fraction: float) -> float | None:
    """Nearest rank: a latency that was really seen."""
    if not ascending_s:
        return None
    return ascending_s[max(0, math.ceil(fraction * len(ascending_s)) - 1)] * 1e3
