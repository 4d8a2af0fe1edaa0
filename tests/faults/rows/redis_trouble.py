"""Redis killed, emptied, slow, black-holed and full under load: nobody notices for long."""

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from redis.exceptions import ResponseError

from clients.load.closed import Outcome
from tests.fakes.waiting import wait_until
from tests.faults.row import Row
from tests.faults.scene.load import Load, steady
from tests.faults.scene.percentile import latency_ms
from tests.faults.scene.scene import Scene
from tests.faults.sizes import Sizes

SLOWER: Final = 1.5
RECOVERY_S: Final = 5.0
"""The goals."""

_SETTLING_S: Final = 1.0
_DELAY_S: Final = 0.1
_ROOM_BYTES: Final = 200_000
_PATIENCE_S: Final = 30.0


def _kill(scene: Scene) -> None:
    scene.service.redis.stop()


def _empty(scene: Scene) -> None:
    scene.service.redis.stop()
    scene.service.redis.start()


def _slow_down(scene: Scene) -> None:
    scene.proxy.delays(_DELAY_S)


def _swallow(scene: Scene) -> None:
    scene.proxy.swallows()


def _fill(scene: Scene) -> None:
    redis = scene.raw_redis
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("maxmemory", redis.info("memory")["used_memory"] + _ROOM_BYTES)
    try:
        for number in range(_ROOM_BYTES):
            redis.set(f"filling:{number}", bytes(1000))
    except ResponseError:  # out of memory
        return
    raise AssertionError("Redis has room for more than its maxmemory")


FAULTS: Final[Mapping[str, Callable[[Scene], None]]] = {
    "killed": _kill,
    "restarted empty": _empty,
    f"slow by {_DELAY_S * 1e3:.0f} ms": _slow_down,
    "black-holed": _swallow,
    "full": _fill,
}


@dataclass(frozen=True)
class _Trial:
    """One fault; times are seconds of `time.perf_counter`.

    Attributes:
        began: when the phase before it did.
        broken: when Redis was broken.
        mended: when that ended.
        recovery_s: from then until the service used Redis again.
    """

    began: float
    broken: float
    mended: float
    recovery_s: float


def run(scene: Scene, sizes: Sizes) -> Row:
    """Break Redis in every way while all tasks are asked, and mend it again."""
    with steady(scene, sizes.rate_per_s) as load:
        load.wait_for_more(round(sizes.rate_per_s * _SETTLING_S))
        trials: dict[str, list[_Trial]] = {name: [] for name in FAULTS}
        for _ in range(sizes.pairs):
            for name, breaks in FAULTS.items():
                trials[name].append(_try(scene, breaks, sizes.phase_s))
    before = latency_ms(_before(load, list(itertools.chain(*trials.values()))), 0.99)
    during = {name: latency_ms(_during(load, some), 0.99) for name, some in trials.items()}
    ratios = {name: found / before for name, found in during.items()}
    recoveries = {name: max(one.recovery_s for one in some) for name, some in trials.items()}
    must_be_0 = {
        "failed": len(load.failed()),
        "answers that are not their version's": len(scene.truth.wrong(load.said())),
    }
    seen = "; ".join(
        f"{name}: p99 x {ratios[name]:.2f}, used again after {recoveries[name]:.1f} s"
        for name in FAULTS
    )
    return Row(
        fault=f"Redis {', '.join(FAULTS)} under load",
        goal=f"0 failed for known tasks, p99 at most {SLOWER} times what it was before, Redis used "
        f"again within {RECOVERY_S:g} s",
        figure=f"{len(load.outcomes):,} requests: {must_be_0['failed']} failed; {seen}",
        must_be_0=must_be_0,
        in_bounds=max(ratios.values()) <= SLOWER and max(recoveries.values()) <= RECOVERY_S,
        conditions={
            "requests_per_s": sizes.rate_per_s,
            "failures": load.errors(),
            "seconds_before_and_during": sizes.phase_s,
            "pairs_of_each": sizes.pairs,
            "p99_ms_before_all": round(before, 2),
            "p99_ms_during": {name: round(found, 2) for name, found in during.items()},
            "p99_ms_before_and_during_each": {
                name: [_p99s_ms(load, one) for one in some] for name, some in trials.items()
            },
        },
    )


def _try(scene: Scene, breaks: Callable[[Scene], None], phase_s: float) -> _Trial:
    began = time.perf_counter()
    time.sleep(phase_s)
    broken = time.perf_counter()
    breaks(scene)
    time.sleep(phase_s)
    mended = time.perf_counter()
    return _Trial(began, broken, mended, _mend(scene))


def _mend(scene: Scene) -> float:
    """Mend Redis, and empty it; return the seconds until the service uses it again."""
    redis = scene.raw_redis
    scene.service.redis.start()
    redis.config_set("maxmemory", 0)
    redis.flushall()
    scene.proxy.passes()
    mended = time.perf_counter()

    def is_used() -> bool:
        return scene.hears_publishes() and bool(redis.keys("spt:*:pointer:*"))

    try:
        wait_until("the service uses Redis", is_used, timeout_s=_PATIENCE_S)
    except AssertionError:
        return math.inf
    return time.perf_counter() - mended


def _before(load: Load, trials: Sequence[_Trial]) -> list[Outcome]:
    return [one for trial in trials for one in load.between(trial.began, trial.broken)]


def _during(load: Load, trials: Sequence[_Trial]) -> list[Outcome]:
    return [one for trial in trials for one in load.between(trial.broken, trial.mended)]


def _p99s_ms(load: Load, trial: _Trial) -> list[float]:
    phases = _before(load, [trial]), _during(load, [trial])
    return [round(latency_ms(some, 0.99), 2) for some in phases]
