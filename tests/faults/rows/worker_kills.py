"""TorchServe's worker killed under load: only what it held fails, and may be asked again."""

import time
from dataclasses import dataclass
from typing import Final

from tests.fakes.waiting import wait_until
from tests.faults.row import Row
from tests.faults.scene.load import Load, callers, steady
from tests.faults.scene.noticed import RECOVERY_S
from tests.faults.scene.scene import Scene
from tests.faults.sizes import Sizes

_CALLERS: Final = 8
"""They keep the worker busy, so that it always dies with rows in its hands."""

_READY_S: Final = 120.0


@dataclass(frozen=True)
class _Kill:
    """One death: who asked around it, when it came, and when the next worker was ready.

    Times are of `time.perf_counter`.
    """

    loads: tuple[Load, Load]
    at: float
    ready: float


def run(scene: Scene, sizes: Sizes) -> Row:
    """Kill the worker again and again; account for every request that is not answered."""
    kills = [_kill(scene, sizes) for _ in range(sizes.kills)]
    failed = [(kill, load, one) for kill in kills for load in kill.loads for one in load.failed()]
    said = [one for kill in kills for load in kill.loads for one in load.said()]
    must_be_0 = {
        "failed, though the worker did not hold it when it died": sum(
            not load.sent_at(one) <= kill.at <= load.done_at(one) for kill, load, one in failed
        ),
        "failed with a status that does not say try again": sum(
            one.error is None or not one.error.retryable for *_, one in failed
        ),
        "answers that are not their version's": len(scene.truth.wrong(said)),
    }
    down_s = [kill.ready - kill.at for kill in kills]
    return Row(
        fault=f"TorchServe's worker killed {sizes.kills} times under load",
        goal="only rows in flight fail, with a status that says try again; ready by itself within "
        f"{RECOVERY_S:g} s, nothing else lost",
        figure=f"{len(said):,} answered, {len(failed)} rows in flight failed with status "
        f"{', '.join(sorted({str(one.status) for *_, one in failed})) or 'none'}; "
        f"{sum(must_be_0.values())} failed otherwise; ready again after {max(down_s):.1f} s at "
        "most",
        must_be_0=must_be_0,
        in_bounds=max(down_s) <= RECOVERY_S,
        conditions={
            "kills": sizes.kills,
            "requests_per_s": sizes.rate_per_s,
            "callers_beside": _CALLERS,
            "failures": [load.errors() for kill in kills for load in kill.loads],
            "seconds_until_ready": [round(seconds, 1) for seconds in down_s],
        },
    )


def _kill(scene: Scene, sizes: Sizes) -> _Kill:
    """Kill the worker while it is busy; return once all who asked meanwhile have their answer."""
    loads = steady(scene, sizes.rate_per_s), callers(scene, _CALLERS)
    with loads[0], loads[1] as waiting:
        waiting.wait_for_more(2 * _CALLERS)
        worker = scene.processes()["worker"]
        at = time.perf_counter()
        worker.kill()
        wait_until("the service says that it is not ready", lambda: not scene.is_ready())
        wait_until("it is ready again", scene.is_ready, timeout_s=_READY_S)
        ready = time.perf_counter()
        waiting.wait_for_more(2 * _CALLERS)
    return _Kill(loads, at, ready)
