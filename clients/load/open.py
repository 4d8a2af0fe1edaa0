"""An open-loop load: requests leave on a schedule fixed in advance, also when the service is late.

Latency counts from the moment a request was due. A service that stalls keeps everybody waiting who
came meanwhile, and all of that waiting is counted; a closed loop would not have asked.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clients.load.closed import Ask, Outcome, Predicting, ask_once

MOST_IN_FLIGHT = 2000


@dataclass(frozen=True)
class OpenLoad:
    """What became of a load at a constant rate.

    Attributes:
        outcomes: one per request, in the order of the schedule; each starts when it was due.
        held_back: how many found `most_in_flight` others unanswered and were sent late; their
            waiting is in their latency. More than none means that the service was overloaded.
    """

    outcomes: tuple[Outcome, ...]
    held_back: int


async def run_rate(
    client: Predicting,
    asks: Iterable[Ask],
    rate_per_s: float,
    seconds: float,
    *,
    most_in_flight: int = MOST_IN_FLIGHT,
    on_done: Callable[[Outcome], None] | None = None,
) -> OpenLoad:
    """Send one ask every `1 / rate_per_s` seconds for `seconds`, then await all answers.

    Args:
        client: stays open; the caller closes it.
        asks: sent in this order; the load ends early where they end.
        rate_per_s: arrivals, evenly spaced.
        seconds: how long requests are sent.
        most_in_flight: unanswered requests at which the next ones wait, so that an overloaded
            service does not take this process' sockets and memory with it.
        on_done: told of each outcome as it comes.

    Returns:
        One outcome per request; errors of the service are outcomes too.

    Raises:
        ValueError: the rate, the duration or `most_in_flight` is not positive.
    """
    if min(rate_per_s, seconds, most_in_flight) <= 0:
        raise ValueError(
            "expected a positive rate, duration and bound, "
            f"found {rate_per_s}, {seconds} and {most_in_flight}"
        )
    began, slots, held_back = time.perf_counter(), asyncio.Semaphore(most_in_flight), 0

    async def send(index: int, ask: Ask, due: float) -> Outcome:
        async with slots:
            outcome = await ask_once(client, index, ask, began=began, since=due)
        if on_done is not None:
            on_done(outcome)
        return outcome

    tasks: list[asyncio.Task[Outcome]] = []
    async with asyncio.TaskGroup() as group:
        for index, ask in zip(range(round(rate_per_s * seconds)), asks, strict=False):
            due = began + index / rate_per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            held_back += slots.locked()
            tasks.append(group.create_task(send(index, ask, due)))
    return OpenLoad(tuple(task.result() for task in tasks), held_back)
