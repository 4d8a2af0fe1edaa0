"""Half an hour at 80% of saturation: memory stays, and nobody waits longer at the end."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psutil

from tests.faults.row import Row
from tests.faults.scene.load import callers, steady
from tests.faults.scene.memory import growth, megabytes
from tests.faults.scene.percentile import latency_ms, percentile
from tests.faults.scene.scene import Scene
from tests.faults.sizes import Sizes

MOST_GROWTH: Final = 0.01
SLOWEST: Final = 1.1
"""The goals: of memory over the run, and of the last third's p50 against the first's."""

_SHARE: Final = 0.8
_CALLERS: Final = 32
_WINDOW_S: Final = 5.0
_FEWEST, _MOST = 6, 60
"""Windows, of that length or longer."""

_WARM_UP: Final = 0.2


@dataclass(frozen=True)
class _Window:
    """What was seen in a part of the run; `cpu_ms` is what one request cost the service."""

    at: float
    p50_ms: float
    cpu_ms: float
    rss_mb: Mapping[str, float]
    asked: int
    failed: int
    wrong: int


def run(scene: Scene, sizes: Sizes) -> Row:
    """Measure saturation, then ask at a constant rate below it, in windows one after another."""
    saturation = _saturation(scene, sizes.saturation_s)
    rate = _SHARE * saturation
    count = min(_MOST, max(_FEWEST, round(sizes.load_s / _WINDOW_S)))
    began = time.perf_counter()
    windows = [_window(scene, rate, sizes.load_s / count, began) for _ in range(count)]
    saturation_after = _saturation(scene, sizes.saturation_s)
    counted = [one for one in windows if one.at > _WARM_UP * sizes.load_s]
    at = [one.at for one in counted]
    grown = {name: growth(at, [one.rss_mb[name] for one in counted]) for name in counted[0].rss_mb}
    third = len(counted) // 3
    begin, end = counted[:third], counted[-third:]
    first, last = (percentile([one.p50_ms for one in some], 0.5) for some in (begin, end))
    costs = [percentile([one.cpu_ms for one in some], 0.5) for some in (begin, end)]
    shown = ", ".join(f"{name} {share:+.2%}" for name, share in grown.items())
    asked = sum(one.asked for one in windows)
    return Row(
        fault=f"{sizes.load_s / 60:g} minutes at {_SHARE:.0%} of saturation",
        goal="memory grows by at most 1% after warm-up, 0 failed, and answers get no slower",
        figure=f"{asked:,} requests at {rate:.0f} a second: memory {shown}; p50 {first:.1f} ms in "
        f"the first third, {last:.1f} ms in the last; processor time of a request "
        f"{costs[0]:.2f} and {costs[1]:.2f} ms; saturation {saturation:.0f} a second before and "
        f"{saturation_after:.0f} after",
        must_be_0={
            "failed": sum(one.failed for one in windows),
            "answers that are not their version's": sum(one.wrong for one in windows),
        },
        in_bounds=max(grown.values()) <= MOST_GROWTH and last <= SLOWEST * first,
        conditions={
            "seconds": sizes.load_s,
            "saturation_per_s": [round(saturation, 1), round(saturation_after, 1)],
            "requests_per_s": round(rate, 1),
            "callers_at_saturation": _CALLERS,
            "left_out_as_warm_up": _WARM_UP,
            "p50_ms": [round(one.p50_ms, 1) for one in windows],
            "cpu_ms": [round(one.cpu_ms, 2) for one in windows],
            "megabytes_at_the_end": {name: round(mb, 1) for name, mb in windows[-1].rss_mb.items()},
        },
    )


def _saturation(scene: Scene, seconds: float) -> float:
    """Return how many requests are answered a second if there are always some waiting."""
    with callers(scene, _CALLERS) as load:
        load.wait_for_more(_CALLERS)
        began = time.perf_counter()
        time.sleep(seconds)
        ended = time.perf_counter()
    return sum(began <= load.done_at(one) < ended for one in load.answered()) / (ended - began)


def _window(scene: Scene, rate_per_s: float, seconds: float, began: float) -> _Window:
    processes = scene.processes()
    used_s = _cpu_s(processes)
    with steady(scene, rate_per_s) as load:
        time.sleep(seconds)
    used_s = _cpu_s(processes) - used_s
    return _Window(
        at=time.perf_counter() - began,
        p50_ms=latency_ms(load.outcomes, 0.5),
        cpu_ms=1000 * used_s / len(load.outcomes),
        rss_mb=megabytes(processes),
        asked=len(load.outcomes),
        failed=len(load.failed()),
        wrong=len(scene.truth.wrong(load.said())),
    )


def _cpu_s(processes: Mapping[str, psutil.Process]) -> float:
    """Return the processor time that the processes have used so far, in seconds."""
    times = [process.cpu_times() for process in processes.values()]
    return sum(one.user + one.system for one in times)
