"""Time on a GPU by its own clock, and throughput with several batches in flight."""

import time
from collections import deque
from collections.abc import Callable, Mapping

import torch

from serving.trunk.transfer import Fetched
from tests.bench.measure import Seconds

IN_FLIGHT = 3
REPEATS = 20


@torch.inference_mode()
def device_in_turns(
    candidates: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2
) -> Seconds:
    """Return seconds of one call of each candidate per round, by CUDA events.

    Args:
        candidates: each queues its work and waits for nothing; many calls are queued at once.
        rounds: measured; the order turns around each round.
        warm_up: rounds before them whose times are thrown away.
    """
    seconds: Seconds = {name: [] for name in candidates}
    for number in range(warm_up + rounds):
        order = list(candidates) if number % 2 else list(reversed(candidates))
        for name in order:
            taken = _device_seconds(candidates[name])
            if number >= warm_up:
                seconds[name].append(taken)
    return seconds


def _device_seconds(call: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(REPEATS):
        call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3 / REPEATS


@torch.inference_mode()
def pipelined_seconds(call: Callable[[int], Fetched], batches: int) -> float:
    """Return seconds per batch, from bytes on the host to answers on the host.

    Args:
        call: queues the batch of that number; `IN_FLIGHT` are queued before one is awaited.
        batches: measured, after a few that are not.
    """
    waiting: deque[Fetched] = deque()
    start = 0.0
    for number in range(IN_FLIGHT + batches):
        if number == IN_FLIGHT:
            start = time.perf_counter()
        waiting.append(call(number))
        if len(waiting) > IN_FLIGHT:
            waiting.popleft().wait()
    while waiting:
        waiting.popleft().wait()
    return (time.perf_counter() - start) / batches
