"""TorchServe's worker killed under load: only what it held fails, and may be asked again."""

import time
from dataclasses import dataclass
from typing import Final

from clients.load.closed import Outcome
from tests.fakes.waiting import wait_until
from tests.faults.row import Row
from tests.faults.scene.load import Load, callers, steady
from tests.faults.scene.scene import Scene
from tests.faults.sizes import Sizes

_CALLERS: Final = 8
"""They keep the worker busy, so that it always dies with rows in its hands."""

_READY_S: Final = 120.0


@dataclass(frozen=True)
class _Kill:
    """When a worker was killed and when the next one was ready, by `time.perf_counter`."""

    at: float
    ready: float


def run(scene: Scene, sizes: Sizes) -> Row:
    """Kill the worker again and again; account for every request that is not answered."""
    with steady(scene, sizes.rate_per_s) as steadily, callers(scene, _CALLERS) as waiting:
        kills = [_kill(scene, steadily, waiting) for _ in range(sizes.kills)]
        waiting.wait_for_more(2 * _CALLERS)
    loads = (steadily, waiting)
    failed = [(load, one) for load in loads for one in load.failed()]
    said = [one for load in loads for one in load.said()]
    must_be_0 = {
        "failed, though the worker did not hold it when it died": sum(
            not _was_held(load, one, kills) for load, one in failed
        ),
        "failed with a status that does not say try again": sum(
            one.error is None or not one.error.retryable for _, one in failed
        ),
        "answers that are not their version's": len(scene.truth.wrong(said)),
    }
    down_s = [kill.ready - kill.at for kill in kills]
    return Row(
        fault=f"TorchServe's worker killed {sizes.kills} times under load",
        goal="only rows in flight fail, with a status that says try again; ready by itself, "
        "nothing else lost",
        figure=f"{len(said):,} answered, {len(failed)} rows in flight failed with status "
        f"{', '.join(sorted({str(one.status) for _, one in failed})) or 'none'}; "
        f"{sum(must_be_0.values())} failed otherwise; ready again after {max(down_s):.1f} s at "
        "most",
        must_be_0=must_be_0,
        conditions={
            "kills": sizes.kills,
            "requests_per_s": sizes.rate_per_s,
            "callers_beside": _CALLERS,
            "failures": steadily.errors() | waiting.errors(),
            "seconds_until_ready": [round(seconds, 1) for seconds in down_s],
        },
    )


def _kill(scene: Scene, steadily: Load, waiting: Load) -> _Kill:
    """Kill the worker while it is busy; return once another one is ready.

    What came while the last one was down is answered first, or the wait would grow without end.
    """
    steadily.wait_until_caught_up(2 * _CALLERS)
    waiting.wait_for_more(2 * _CALLERS)
    worker = scene.processes()["worker"]
    at = time.perf_counter()
    worker.kill()
    wait_until("the service says that it is not ready", lambda: not scene.is_ready())
    wait_until("it is ready again", scene.is_ready, timeout_s=_READY_S)
    return _Kill(at, time.perf_counter())


def _was_held(load: Load, outcome: Outcome, kills: list[_Kill]) -> bool:
    sent, done = load.sent_at(outcome), load.done_at(outcome)
    return any(sent <= kill.at <= done for kill in kills)
