"""A device that is lost under load: its worker says so and ends, and another one answers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from serving.protocol import ErrorCode
from tests.fakes.waiting import wait_until
from tests.faults.row import Row
from tests.faults.scene.load import Load, steady
from tests.faults.scene.noticed import RECOVERY_S, SLOWER
from tests.faults.scene.percentile import latency_ms
from tests.faults.scene.scene import TIMEOUT_S, Scene
from tests.faults.scene.versions import TASKS
from tests.faults.sizes import Sizes


@dataclass(frozen=True)
class _Loss:
    """One loss: what was asked before, around and after it, and when another worker was ready."""

    before: Load
    around: Load
    after: Load
    down_s: float


def run(scene: Scene, sizes: Sizes) -> Row:
    """Lose it again and again; account for every request that is not answered."""
    losses = [_lose(scene, sizes) for _ in range(sizes.losses)]
    calm = [load for loss in losses for load in (loss.before, loss.after)]
    failed = [one for loss in losses for one in loss.around.failed()]
    ratio = _p99_ms([loss.after for loss in losses]) / _p99_ms([loss.before for loss in losses])
    slowest_s = max(loss.down_s for loss in losses)
    said = [one for loss in losses for load in (*calm, loss.around) for one in load.said()]
    return Row(
        fault=f"the worker's device lost {len(losses)} times under load",
        goal="those in its hands are told when to try again; another worker is ready within "
        f"{RECOVERY_S:g} s, and p99 at most {SLOWER} times what it was",
        figure=f"{len(failed)} told to try again; another worker ready after {slowest_s:.1f} s at "
        f"most; p99 x {ratio:.2f}",
        must_be_0={
            "failed, though nothing was lost meanwhile": sum(len(one.failed()) for one in calm),
            "failed with a status that does not say try again": sum(
                one.error is None or not one.error.retryable for one in failed
            ),
            "refused by the worker with no word of when to try again": sum(
                one.error is not None
                and one.error.code == ErrorCode.NOT_READY
                and one.error.retry_after_s is None
                for one in failed
            ),
            "answers that are not their version's": len(scene.truth.wrong(said)),
        },
        in_bounds=ratio <= SLOWER and slowest_s <= RECOVERY_S,
        conditions={
            "requests_per_s": sizes.rate_per_s,
            "failures": [loss.around.errors() for loss in losses],
            "seconds_until_ready": [round(loss.down_s, 1) for loss in losses],
        },
    )


def _lose(scene: Scene, sizes: Sizes) -> _Loss:
    before = _phase(scene, sizes)
    with steady(scene, sizes.rate_per_s) as around:
        around.wait_for_more(len(TASKS))
        worker, lost = scene.processes()["worker"], time.perf_counter()
        scene.lose_device()
        wait_until("the worker has ended", lambda: not worker.is_running())
        wait_until("another one is ready", scene.is_ready, timeout_s=TIMEOUT_S)
        ready = time.perf_counter()
    return _Loss(before, around, _phase(scene, sizes), ready - lost)


def _phase(scene: Scene, sizes: Sizes) -> Load:
    with steady(scene, sizes.rate_per_s) as load:
        time.sleep(sizes.phase_s)
    return load


def _p99_ms(loads: Sequence[Load]) -> float:
    return latency_ms([one for load in loads for one in load.outcomes], 0.99)
