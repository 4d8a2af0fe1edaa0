"""A CUDA graph: launches that are recorded once, and repeated by a single one."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

WARM_UPS: Final = 3
"""Runs before a recording: kernels are compiled, tuned and loaded in them."""


class Recording(NamedTuple):
    """What was recorded.

    Attributes:
        replay: repeats it on the current stream, on what its inputs then hold.
        outputs: where it leaves what it makes, until the next replay.
    """

    replay: Callable[[], Any]
    outputs: tuple[Tensor, ...]


def record(run: Callable[[], tuple[Tensor, ...]]) -> Recording:
    """Run something a few times, record it, and repeat it once.

    All recordings share what memory they need in between: no two may be repeated at the same time.

    Args:
        run: reads and writes the same memory each time, and never waits for the device.
    """
    apart, current = torch.cuda.Stream(), torch.cuda.current_stream()
    apart.wait_stream(current)
    with torch.cuda.stream(apart):
        for _ in range(WARM_UPS):
            run()
    current.wait_stream(apart)
    graph = torch.cuda.CUDAGraph()
    # threads that load adapters meanwhile may allocate
    with torch.cuda.graph(graph, pool=_pool(), capture_error_mode="thread_local"):
        outputs = run()
    graph.replay()
    torch.cuda.synchronize()
    return Recording(graph.replay, outputs)


@cache
def _pool() -> Any:
    return torch.cuda.graph_pool_handle()
