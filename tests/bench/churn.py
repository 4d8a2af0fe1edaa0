"""Memory over many loads and evictions: nothing may be left behind by an adapter that is gone."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import psutil
from jaxtyping import Float64

from adapters.cache.signed_source import ArtifactSource
from serving.inference.bank import AdapterBank, AdapterKey
from serving.rows.resident import make_resident
from serving.trunk.allocator import disable_malloc_trim
from tests.bench.models import RandomSource, random_adapter
from tests.fakes.tiny import tiny_backbone

TASKS, ROOM = 50, 4
SAMPLES = 20
PATIENCE_S = 60.0


class Churn(NamedTuple):
    """What was seen.

    Attributes:
        seconds: of each cycle.
        rss_mib: memory of the process after each twentieth of the cycles.
    """

    seconds: Float64[np.ndarray, " cycles"]
    rss_mib: list[float]

    @property
    def growth(self) -> float:
        """Return how much larger the process is at the end than after the first twentieth."""
        return self.rss_mib[-1] / self.rss_mib[0] - 1


class _Memory(ArtifactSource):
    """Artifacts in memory; any version of a task is the same one."""

    def __init__(self, artifacts: list[bytes]) -> None:
        self._artifacts = artifacts

    def read(self, task: str, version: str) -> bytes:
        """Return the artifact's bytes."""
        return self._artifacts[int(task.removeprefix("task-"))]


def churn(cycles: int) -> Churn:
    """Load another version each time into a bank that has room for four, in a process of its own.

    Args:
        cycles: a multiple of twenty.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_churn, cycles).result()


def _churn(cycles: int) -> Churn:
    disable_malloc_trim()
    backbone = tiny_backbone()
    random = RandomSource(backbone.spec)
    source = _Memory([random.read(f"task-{number}", "") for number in range(TASKS)])
    each = make_resident(random_adapter(backbone.spec, 0), backbone).num_bytes
    bank, process = AdapterBank(backbone, source, ROOM * each), psutil.Process()
    seen = Churn(np.full(cycles, np.nan), [])
    for number in range(cycles):
        start = time.perf_counter()
        with bank.lease([AdapterKey(f"task-{number % TASKS}", f"{number:064x}")]) as lease:
            lease.wait(PATIENCE_S)
        seen.seconds[number] = time.perf_counter() - start
        if (number + 1) % (cycles // SAMPLES) == 0:
            seen.rss_mib.append(process.memory_info().rss / 2**20)
    bank.close()
    return seen
