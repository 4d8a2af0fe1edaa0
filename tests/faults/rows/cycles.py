"""Adapters that come to a bank and go: what has gone leaves nothing behind."""

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import torch

from adapters.cache.signed_source import ArtifactSource
from adapters.vit.adapter import encode
from serving.inference.bank import AdapterBank, AdapterKey
from serving.rows.resident import Resident
from tests.fakes.artifacts import make_adapter
from tests.fakes.crashes import PROCESSES
from tests.fakes.tiny import tiny_backbone
from tests.faults.row import Row
from tests.faults.scene.memory import growth, megabytes
from tests.faults.sizes import Sizes

MOST_GROWTH: Final = 0.01
SLOWEST: Final = 1.1
"""The goals: of memory over the run, and of the last third's time against the first's."""

_ADAPTERS: Final = 16
_HELD: Final = 2
_SAMPLES: Final = 100
_WARM_UP: Final = 0.2


@dataclass(frozen=True)
class _Sample:
    """What was seen after so many cycles.

    Attributes:
        cycles: so far.
        rss_mb: memory of the process.
        seconds: of a cycle, on average since the last sample.
        left: adapters that were in the bank.
    """

    cycles: int
    rss_mb: float
    seconds: float
    left: int


def run(_: Path, sizes: Sizes) -> Row:
    """Let them come and go in a process that does nothing else."""
    with ProcessPoolExecutor(1, PROCESSES) as pool:
        samples = pool.submit(_cycle, sizes.cycles).result()
    counted = [one for one in samples if one.cycles > _WARM_UP * sizes.cycles]
    grown = growth([one.cycles for one in counted], [one.rss_mb for one in counted])
    third = len(counted) // 3
    first, last = (
        sorted(one.seconds for one in some)[third // 2]
        for some in (counted[:third], counted[-third:])
    )
    must_be_0 = {"samples with more adapters than fit": sum(one.left > _HELD for one in samples)}
    return Row(
        fault=f"{sizes.cycles:,} adapters loaded into a bank that holds two, and unloaded",
        goal="memory grows by at most 1% after warm-up, and loading gets no slower",
        figure=f"memory {grown:+.2%} of {counted[0].rss_mb:.0f} MB; median time of a cycle "
        f"{first * 1e3:.2f} ms in the first third, {last * 1e3:.2f} ms in the last",
        must_be_0=must_be_0,
        in_bounds=grown <= MOST_GROWTH and last <= SLOWEST * first,
        conditions={
            "cycles": sizes.cycles,
            "adapters": _ADAPTERS,
            "left_out_as_warm_up": _WARM_UP,
            "samples": len(counted),
        },
    )


class _Artifacts(ArtifactSource):
    """A source of a few artifacts, by task."""

    def __init__(self, artifacts: dict[str, bytes]) -> None:
        self._artifacts = artifacts

    def read(self, task: str, version: str) -> bytes:
        return self._artifacts[task]


def _cycle(cycles: int) -> list[_Sample]:
    torch.set_num_threads(1)
    backbone = tiny_backbone()
    tasks = [f"task-{number}" for number in range(_ADAPTERS)]
    source = _Artifacts(
        {t: encode(make_adapter(t, backbone=backbone.spec, seed=i)) for i, t in enumerate(tasks)}
    )
    bank = AdapterBank(backbone, source, 1 << 30)
    bank.budget_bytes = _HELD * _load(bank, tasks[0]).num_bytes
    this, samples = {"this": psutil.Process()}, list[_Sample]()
    every = max(1, cycles // _SAMPLES)
    since = time.perf_counter()
    for number in range(1, cycles + 1):
        _load(bank, tasks[number % _ADAPTERS])
        if number % every == 0:
            seconds = (time.perf_counter() - since) / every
            samples.append(_Sample(number, megabytes(this)["this"], seconds, len(bank)))
            since = time.perf_counter()
    bank.close()
    return samples


def _load(bank: AdapterBank, task: str) -> Resident:
    key = AdapterKey(task, "0" * 64)
    with bank.lease([key]) as lease:
        lease.wait(60.0)
        found = lease.residents[key]
    assert isinstance(found, Resident), found
    return found
