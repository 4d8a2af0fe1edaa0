"""All services of one model at the same time, each as a process of its own on loopback."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psutil

from adapters.ports import free_ports
from clients.errors import ClientError
from clients.load.closed import Ask
from serving.launch.launch import Launch
from serving.launch.running import Running
from serving.service import start, stop
from tests.bench.http_scene import NUM_TASKS, Scene
from tests.bench.lean_client import LeanClient
from tests.bench.services.stock import stock_torchserve
from tests.bench.services.target import LITSERVE, MOSEC, STOCK, PeerClient, Served, Wire
from tests.fakes.waiting import wait_until
from tests.fakes.workers import fork_servers_of, workers_of

LOADS_S = 300.0
NEEDS = {"litserve": "litserve", "mosec": "mosec", "torchserve_stock": "captum"}
"""Peers, and the package without which each cannot run."""

OURS = ("asgi", "torchserve")
SERVICES = (*OURS, *NEEDS)


def missing(name: str) -> str | None:
    """Return why a service cannot be run here; None if it can."""
    package = NEEDS.get(name)
    if package is None or find_spec(package) is not None:
        return None
    return f"{name} is not measured: {package} is not installed (pip install '.[bench]')"


@contextmanager
def running(scene: Scene, names: Sequence[str]) -> Iterator[dict[str, Served]]:
    """Start the named services, and end them with the block.

    Args:
        scene: model, tasks and images.
        names: of `SERVICES`.
    """
    with ExitStack() as stack:
        yield {name: stack.enter_context(_STARTED[name](scene)) for name in names}


@contextmanager
def _asgi(scene: Scene) -> Iterator[Served]:
    with asgi_front(scene.launch_of("asgi")) as front:
        roots = [psutil.Process(pid) for pid in front.processes]
        yield Served("asgi", scene.asks(NUM_TASKS), partial(LeanClient, front.url), roots)


@contextmanager
def asgi_front(launch: Launch) -> Iterator[Running]:
    """Run a launch of ours with the ASGI front until the block ends."""
    launch.folder.mkdir()
    running = start(launch.model_copy(update={"front": "asgi"}))
    try:
        yield running
    finally:
        stop(launch.folder)


@contextmanager
def _torchserve(scene: Scene) -> Iterator[Served]:
    with scene.ours() as ours:
        yield Served("torchserve", ours.asks, ours.client, _roots(ours.process))


@contextmanager
def _stock(scene: Scene) -> Iterator[Served]:
    with stock_torchserve(scene.launch_of("stock")) as stock:
        client = partial(PeerClient, stock.url, STOCK)
        yield Served("torchserve_stock", _photos(scene), client, _roots(stock))


@contextmanager
def _litserve(scene: Scene) -> Iterator[Served]:
    launch, port = scene.launch_of("litserve"), free_ports(1)[0]
    given = [launch.backbone, str(launch.weights), str(port), str(launch.batch_size)]
    command = ["tests.bench.services.litserve_process", *given]
    with process(command, launch.folder, {}) as server:
        yield _ready(_peer("litserve", scene, port, LITSERVE, server))


@contextmanager
def _mosec(scene: Scene) -> Iterator[Served]:
    launch, port = scene.launch_of("mosec"), free_ports(1)[0]
    command = ["tests.bench.services.mosec_process", "--address", "127.0.0.1", "--port", str(port)]
    told = {
        "BENCH_MODEL": launch.backbone,
        "BENCH_WEIGHTS": str(launch.weights),
        "BENCH_BATCH": str(launch.batch_size),
    }
    with process(command, launch.folder, told) as server:
        yield _ready(_peer("mosec", scene, port, MOSEC, server))


_STARTED: Mapping[str, Callable] = {
    "asgi": _asgi,
    "torchserve": _torchserve,
    "litserve": _litserve,
    "mosec": _mosec,
    "torchserve_stock": _stock,
}


def _peer(name: str, scene: Scene, port: int, wire: Wire, server: psutil.Process) -> Served:
    client = partial(PeerClient, f"http://127.0.0.1:{port}", wire)
    return Served(name, _photos(scene), client, [server])


def _photos(scene: Scene) -> list[Ask]:
    return scene.asks(1)


def _roots(service: Running) -> list[psutil.Process]:
    """Return TorchServe's processes, its workers, and what those are forks of."""
    workers = workers_of(service)
    begun = [psutil.Process(pid) for pid in service.processes]
    return [*begun, *fork_servers_of(workers), *workers]


@contextmanager
def process(
    command: Sequence[str], folder: Path, told: Mapping[str, str]
) -> Iterator[psutil.Process]:
    """Run a module until the block ends; what it says goes to a log in the folder."""
    folder.mkdir(exist_ok=True)
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", *command], stdout=log, stderr=log, env={**os.environ, **told}
        )
    root = psutil.Process(started.pid)
    try:
        yield root
    finally:
        for one in (*root.children(recursive=True), root):
            one.kill()
        started.wait()


def _ready(served: Served) -> Served:
    """Return it as soon as it answers."""
    root = served.roots[0]

    def answers() -> bool:
        if root.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError(f"{served.name} has ended while it was to start")
        try:
            asyncio.run(_once(served))
        except ClientError:
            return False
        return True

    wait_until(f"{served.name} answers", answers, timeout_s=LOADS_S)
    return served


async def _once(served: Served) -> None:
    async with served.client() as client:
        one = served.asks[0]
        await client.predict_with_batch(one.image, task=one.task, top_k=1)
