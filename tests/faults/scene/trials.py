"""Faults that come and go under load: a phase before each, one during it, and the way back."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import NamedTuple

from tests.fakes.crashes import PROCESSES
from tests.faults.scene.load import steady
from tests.faults.scene.noticed import RECOVERY_S, Noticed, Trial
from tests.faults.scene.scene import HOUSE, Scene
from tests.faults.sizes import Sizes
from tests.faults.strangers.flood import Refusal, flood
from tests.faults.strangers.raw import let_in

_START_S = 0.1
"""So long that each of the processes gets one, and so is started."""


class Fault(NamedTuple):
    """What is done.

    Attributes:
        breaks: begins it, or is all of it.
        mends: ends it, and returns the seconds until that showed.
    """

    breaks: Callable[[], object]
    mends: Callable[[], float] = lambda: 0.0


class Flood(NamedTuple):
    """Callers who send one request again and again in a phase, and what they were answered."""

    fault: Fault
    answers: list[Refusal | None]

    def otherwise(self, status: int) -> int:
        """Return how many were answered with another status, or not at all."""
        return sum(one is None or one.status != status for one in self.answers)


@contextmanager
def another_process(work: Callable[..., object], count: int = 1) -> Iterator[ProcessPoolExecutor]:
    """Have processes that are ready for some work before it begins: a start costs a core."""
    module = (work.__module__,)
    with ProcessPoolExecutor(count, PROCESSES, initializer=import_module, initargs=module) as pool:
        list(pool.map(time.sleep, [_START_S] * count))
        yield pool


def flood_of(
    request: bytes, rate_per_s: float, scene: Scene, sizes: Sizes, pool: ProcessPoolExecutor
) -> Flood:
    """Return a flood by a tenant who may ask everything, sent from another process."""
    whole, answers = let_in(request, scene.token, scene.keys[HOUSE]), list[Refusal | None]()

    def breaks() -> None:
        sent = pool.submit(flood, scene.running.url, [whole], rate_per_s, sizes.phase_s)
        answers.extend(sent.result())

    return Flood(Fault(breaks), answers)


def try_all(scene: Scene, sizes: Sizes, faults: Mapping[str, Fault], *, phases: int = 1) -> Noticed:
    """Have each fault come and go, as often as there are pairs, while all tasks are asked.

    Args:
        scene: is asked.
        sizes: how long the phases are, and how many.
        faults: by name.
        phases: how many phases each of them lasts.
    """
    trials: dict[str, list[Trial]] = {name: [] for name in faults}
    with steady(scene, sizes.rate_per_s) as load:
        load.wait_for_more(round(sizes.rate_per_s))
        for _ in range(sizes.pairs):
            for name, fault in faults.items():
                trials[name].append(attempt(fault, phases * sizes.phase_s))
        time.sleep(min(RECOVERY_S, sizes.phase_s))
    return Noticed(load, trials, sizes)


def attempt(fault: Fault, phase_s: float) -> Trial:
    """Have a phase without a fault and one with it, of so many seconds at least."""
    began = time.perf_counter()
    time.sleep(phase_s)
    broken = time.perf_counter()
    fault.breaks()
    time.sleep(max(0.0, broken + phase_s - time.perf_counter()))
    mended = time.perf_counter()
    return Trial(began, broken, mended, fault.mends())
