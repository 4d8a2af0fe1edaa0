"""A worker that loses its device tells its callers to ask again, ends, and another one answers."""

from collections.abc import Iterator

import psutil
import pytest

from adapters.ports import free_ports
from clients.client import Client
from clients.errors import ClientError
from serving.launch.launch import Launch
from serving.service import start, stop
from tests.e2e.service import IMAGES, TASKS, Published, Service
from tests.fakes import fragile_handler
from tests.fakes.fragile import fragile_services
from tests.fakes.waiting import wait_until


@pytest.fixture(scope="module")
def fragile(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose device can be lost."""
    folder, store = tmp_path_factory.mktemp("fragile"), published.source.store.root
    launch = Launch(folder=folder / "serve", store=store, ports=free_ports(3))
    with fragile_services():
        start(launch)
    yield published.served(launch.folder)
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
        wait_until("another one answers", lambda: answers(client))
    assert worker_of(fragile) != first
    said = fragile.log.read_text()
    assert said.count("Traceback") == 1
    assert "the device is lost: CUDA error: an illegal memory access" in said


def test_an_idle_worker_finds_out_by_itself(fragile: Service) -> None:
    first = worker_of(fragile)
    lose(fragile)
    wait_until("the worker has ended", lambda: not first.is_running())
    with fragile.client() as client:
        wait_until("another one answers", lambda: answers(client))


def answers(client: Client) -> bool:
    try:
        client.predict(IMAGES[0], task=TASKS[0])
    except ClientError as error:
        if not error.retryable:
            raise
        return False
    return True
