"""Tasks that nobody has asked for yet: what the first request waits, and what the others notice.

One engine over a store in a folder, without Redis. Also the memory of a process that loads and
evicts for long.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from serving.trunk.allocator import disable_malloc_trim
from tests.bench.churn import churn
from tests.bench.cold_service import WARM_ROWS, ColdService
from tests.bench.measure import Spread
from tests.bench.models import TINY, make_backbone
from tests.bench.result import Result, Settings
from tests.fakes.tiny import tiny_backbone

LOAD_EVERY = 5


class Plan(NamedTuple):
    """How much is measured.

    Attributes:
        cold: tasks that are loaded in each part; three times as many are published.
        windows: that the warm batches of each kind are split into.
        cycles: of loading and evicting.
    """

    cold: int = 100
    windows: int = 20
    cycles: int = 100_000


SHORT = Plan(cold=6, windows=2, cycles=200)


def run(settings: Settings) -> Result:
    """Measure first requests, warm batches beside loads, and memory."""
    disable_malloc_trim()
    plan = SHORT if settings.short else Plan()
    result = Result("cold")
    _add_churn(result, plan)
    backbone = tiny_backbone() if settings.short else make_backbone(TINY, settings.weights)
    with TemporaryDirectory() as folder:
        service = ColdService(backbone, Path(folder), tasks=WARM_ROWS + 1 + 3 * plan.cold)
        _add_first_requests(result, plan, service)
        _add_warm_batches(result, plan, service)
        service.engine.close()
    return result


def _add_first_requests(result: Result, plan: Plan, service: ColdService) -> None:
    """Ask for a warm task and for a new one by turns, one row each."""
    warm, first = [], []
    for _ in range(plan.cold):
        warm.append(service.ask(service.warm[:1]))
        first.append(service.ask([service.next_cold()]))
    usual = float(np.median(warm))
    result.add_ratio("added_ms_median", Spread.of([1000 * (s - usual) for s in first]))
    result.rows += [_row("one row, warm", warm), _row("one row, its task's first", first)]
    result.notes.append(
        "added_ms_median: the first request of a task against a warm one, by turns; the artifact "
        "is in the store, whose files the system has in memory; no Redis, no HTTP"
    )


def _add_warm_batches(result: Result, plan: Plan, service: ColdService) -> None:
    """Ask for batches without and with loads, in windows by turns."""
    seconds: dict[str, list[float]] = {"all warm": [], "a cold row": [], "loads beside": []}
    each = plan.cold * LOAD_EVERY // plan.windows
    for window in range(plan.windows):
        for kind in seconds if window % 2 else reversed(seconds):
            seconds[kind] += [_batch(service, kind, number) for number in range(each)]
    p99 = {kind: float(np.percentile(times, 99)) for kind, times in seconds.items()}
    result.ratios["warm_p99_ratio"] = p99["a cold row"] / p99["all warm"]
    result.ratios["warm_p99_ratio_prefetched"] = p99["loads beside"] / p99["all warm"]
    result.rows += [_row(f"batch, {kind}", times) for kind, times in seconds.items()]
    result.notes += [
        f"batches: {WARM_ROWS} warm rows, every {LOAD_EVERY}th with one more; of `a cold row` that "
        "one is its task's first, of the others it is warm too; of `loads beside` a new task "
        "begins to load just before that batch and is not in it",
        f"{plan.cold} tasks loaded and {plan.cold * LOAD_EVERY} batches of each kind, in "
        f"{plan.windows} windows by turns; the latency is that of the whole batch, since all rows "
        "are answered together",
    ]


def _batch(service: ColdService, kind: str, number: int) -> float:
    """Return the seconds of one batch."""
    if number % LOAD_EVERY:
        return service.ask(service.warm[:WARM_ROWS])
    if kind == "a cold row":
        return service.ask([*service.warm[:WARM_ROWS], service.next_cold()])
    if kind == "loads beside":
        service.prefetch(service.next_cold())
    return service.ask(service.warm)


def _add_churn(result: Result, plan: Plan) -> None:
    seen = churn(plan.cycles)
    grown = seen.rss_mib[-1] - seen.rss_mib[0]
    result.ratios["rss_growth"] = seen.growth
    result.rows.append(_row("load and evict, tiny backbone", seen.seconds.tolist()))
    result.notes.append(
        f"rss_growth: {plan.cycles:,} loads, each evicting another, of a tiny backbone's adapters; "
        f"{seen.rss_mib[0]:.1f} MiB after a twentieth, {max(seen.rss_mib):.1f} MiB at most, "
        f"{seen.rss_mib[-1]:.1f} MiB at the end: {grown * 2**20 / plan.cycles:.1f} bytes per load"
    )


def _row(measure: str, seconds: Sequence[float]) -> dict[str, Any]:
    return {
        "measure": measure,
        "median_ms": 1000 * float(np.median(seconds)),
        "p99_ms": 1000 * float(np.percentile(seconds, 99)),
        "count": len(seconds),
    }
