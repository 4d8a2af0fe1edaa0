"""The whole service on a GPU: JPEG files over HTTP, fronts that decode, a process with the device.

The ASGI front, so no Java is needed. The load has processes of its own on the same cores.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.bench.front_load import SIZE
from tests.bench.http_scene import Scene
from tests.bench.line_process import LineProcess
from tests.bench.services.running import asgi_front

CALLERS = 128
"""Of each process that asks."""


class ServicePlan(NamedTuple):
    """How the service runs, and is asked.

    Attributes:
        model: timm's name.
        settings: of the service.
        loads: processes that ask.
        seconds: of one round.
        rounds: after one that warms up.
    """

    model: str
    settings: dict[str, Any]
    loads: int
    seconds: float
    rounds: int


def service_plan(model: str, *, short: bool, on_cuda: bool) -> ServicePlan:
    """Return fronts on most of the cores, and crops on the device where there is a GPU."""
    cores = len(os.sched_getaffinity(0))
    settings: dict[str, Any] = {"front_workers": max(1, cores - cores // 4 - 2)}
    if on_cuda:
        settings |= {"kernels": True, "device_crop_side": max(SIZE), "max_batch": 64}
    if short:
        return ServicePlan(model, settings, loads=1, seconds=2.0, rounds=1)
    return ServicePlan(model, settings, loads=max(1, cores // 4), seconds=8.0, rounds=5)


def service_images_per_s(plan: ServicePlan) -> list[float]:
    """Return how many images a second were answered, round by round."""
    with TemporaryDirectory(prefix="bench-gpu-") as folder, ExitStack() as stack:
        url = stack.enter_context(_service(Scene(Path(folder), None, plan.model), plan))
        loads = [
            stack.enter_context(closing(LineProcess("tests.bench.load_process", url, str(CALLERS))))
            for _ in range(plan.loads)
        ]
        return [_round(loads, plan.seconds) for _ in range(plan.rounds + 1)][1:]


def _round(loads: list[LineProcess], seconds: float) -> float:
    for load in loads:
        load.tell(f"ask {seconds}")
    return sum(load.read() for load in loads)


@contextmanager
def _service(scene: Scene, plan: ServicePlan) -> Iterator[str]:
    launch = scene.launch_of("gpu").model_copy(update={"settings": plan.settings})
    with asgi_front(launch) as service:
        yield service.url
