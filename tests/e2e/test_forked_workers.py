"""Workers are forks: another one is there at once, and nobody needs the fork server to live."""

import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from adapters.ports import free_ports
from serving.launch.launch import Launch
from serving.launch.running import read
from serving.service import care_of, start, stop
from tests.e2e.service import IMAGES, TASKS, Published, Service
from tests.fakes.waiting import wait_until


@pytest.fixture(scope="module")
def launch(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    folder = tmp_path_factory.mktemp("forked with a space") / "serve"
    return Launch(folder=folder, store=published.source.store.root, ports=free_ports(3))


@pytest.fixture(scope="module")
def forked(published: Published, launch: Launch) -> Iterator[Service]:
    """A service without a supervisor; the last test of it stops it."""
    start(launch)
    yield published.served(launch.folder)
    stop(launch.folder, draining=False)


def fork_server_of(service: Service) -> psutil.Process:
    return psutil.Process(read(service.folder).fork_server)


def worker_of(service: Service) -> psutil.Process:
    worker = service.worker()
    assert worker is not None
    return worker


def java_of(service: Service) -> psutil.Process:
    (java,) = (one for one in service.process.alive() if "java" in one.name())
    return java


def kill(service: Service, process: psutil.Process) -> psutil.Process:
    """Kill a worker, or what stands for it; return the next worker."""
    first = worker_of(service)
    process.kill()
    wait_until("the worker has ended", lambda: not first.is_running())
    wait_until("another one is ready", lambda: answers(service), timeout_s=120)
    return worker_of(service)


def answers(service: Service) -> bool:
    if not service.is_ready():
        return False
    with service.client() as client:
        return client.predict(IMAGES[0], task=TASKS[0]).task == TASKS[0]


def launchers_of(service: Service) -> list[psutil.Process]:
    return [one for one in java_of(service).children() if "launcher.py" in " ".join(one.cmdline())]


def test_a_worker_is_a_fork_and_so_is_the_next_one(forked: Service) -> None:
    first, server = worker_of(forked), fork_server_of(forked)
    assert first.parent() == server
    second = kill(forked, first)
    assert second != first
    assert second.parent() == server
    assert server.children() == [second]

    (launcher,) = launchers_of(forked)  # as TorchServe kills a worker that hangs
    third = kill(forked, launcher)
    assert third.parent() == server
    assert server.children() == [third]


def test_nobody_needs_a_fork_server_that_was_killed_and_another_one_is_begun(
    forked: Service, launch: Launch
) -> None:
    first, server = worker_of(forked), fork_server_of(forked)
    server.kill()
    wait_until("the fork server has ended", lambda: not server.is_running())
    assert answers(forked)
    assert worker_of(forked) == first

    second = kill(forked, first)
    assert second.parent() == java_of(forked), "TorchServe began it by itself"

    care_of(launch).look()
    another = fork_server_of(forked)
    assert another != server
    assert worker_of(forked) == second
    third = kill(forked, second)
    assert third.parent() == another


def test_a_stop_ends_a_worker_that_hangs_and_all_the_others(
    forked: Service, launch: Launch
) -> None:
    worker = worker_of(forked)
    whole = [java_of(forked), fork_server_of(forked), worker, *launchers_of(forked)]
    os.kill(worker.pid, signal.SIGSTOP)
    assert stop(launch.folder, draining=False)
    wait_until("all have ended", lambda: not any(map(psutil.Process.is_running, whole)))
    assert not (launch.folder / "fork-server.sock").exists()
