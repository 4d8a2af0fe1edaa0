"""A worker that loses its device tells its callers to ask again, ends, and another one answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from clients.client import Client
from clients.errors import ClientError
from serving.torchserve import launch as launch_module
from serving.torchserve.configure import Launch, free_ports, write_configuration
from serving.torchserve.launch import start, stop
from tests.e2e.service import IMAGES, TASKS, Service
from tests.fakes import fragile_handler
from tests.fakes.waiting import wait_until

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def fragile(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service on the same store, whose device can be lost."""

    def write(launch: Launch) -> Path:
        written = write_configuration(launch)
        manifest = written.parent / "model_store" / "spt" / "MAR-INF" / "MANIFEST.json"
        document = json.loads(manifest.read_text())
        document["model"]["handler"] = fragile_handler.__name__
        manifest.write_text(json.dumps(document))
        return written

    monkeypatch.setattr(launch_module, "write_configuration", write)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    launch = Launch(folder=tmp_path / "serve", store=service.source.store.root, ports=free_ports(3))
    running = start(launch)
    yield Service(
        launch.folder, running, service.redis, service.source, service.engine, service.backbone
    )
    stop(launch.folder, draining=False)


def worker_of(service: Service) -> psutil.Process:
    worker = service.worker()
    assert worker is not None
    return worker


def lose(service: Service) -> None:
    (service.folder / fragile_handler.LOSE).touch()


def test_a_lost_device_is_told_once_and_the_next_worker_answers(fragile: Service) -> None:
    first = worker_of(fragile)
    with fragile.client() as client:
        client.predict(IMAGES[0], task=TASKS[0])
        lose(fragile)
        with pytest.raises(ClientError) as refused:
            client.predict(IMAGES[0], task=TASKS[0])
        assert refused.value.retryable
        wait_until("the worker has ended", lambda: not first.is_running())
        wait_until("another one answers", lambda: answers(client), timeout_s=120)
    assert worker_of(fragile) != first
    said = fragile.log.read_text()
    assert said.count("Traceback") == 1
    assert "the device is lost: CUDA error: an illegal memory access" in said


def test_an_idle_worker_finds_out_by_itself(fragile: Service) -> None:
    first = worker_of(fragile)
    lose(fragile)
    wait_until("the worker has ended", lambda: not first.is_running(), timeout_s=60)
    with fragile.client() as client:
        wait_until("another one answers", lambda: answers(client), timeout_s=120)


def answers(client: Client) -> bool:
    try:
        client.predict(IMAGES[0], task=TASKS[0])
    except ClientError as error:
        if not error.retryable:
            raise
        return False
    return True
