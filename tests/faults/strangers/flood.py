"""A tenant who asks far more than he may, from a process of his own."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from tests.faults.strangers.raw import exchange


class Refusal(NamedTuple):
    """A status, and in how many seconds the service says that asking again helps."""

    status: int
    retry_after_s: float | None


def flood(
    url: str, requests: Sequence[bytes], rate_per_s: float, seconds: float
) -> list[Refusal | None]:
    """Send requests in turn at a constant rate; return what each was answered.

    Args:
        url: of the service.
        requests: whole ones, with key and token.
        rate_per_s: arrivals, evenly spaced.
        seconds: how long requests are sent.
    """
    return asyncio.run(_flood(url, requests, rate_per_s, seconds))


async def _flood(
    url: str, requests: Sequence[bytes], rate_per_s: float, seconds: float
) -> list[Refusal | None]:
    began = time.perf_counter()
    tasks: list[asyncio.Task[Refusal | None]] = []
    async with asyncio.TaskGroup() as group:
        for i in range(round(rate_per_s * seconds)):
            await asyncio.sleep(max(0.0, began + i / rate_per_s - time.perf_counter()))
            tasks.append(group.create_task(_ask(url, requests[i % len(requests)])))
    return [task.result() for task in tasks]


async def _ask(url: str, request: bytes) -> Refusal | None:
    reply = await exchange(url, request)
    if reply is None:
        return None
    wait = reply.headers.get("retry-after")
    return Refusal(reply.status, None if wait is None else float(wait))
