"""A service that is told to end answers everybody it let in, and refuses the others cleanly."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from clients.connection import blocking_http
from clients.errors import ClientError, NotReady, ServiceUnreachable
from serving.torchserve.configure import Launch, free_ports
from serving.torchserve.launch import start, stop
from serving.torchserve.readiness import why_not_ready
from serving.torchserve.running import is_recorded, read
from tests.e2e.service import Load, Service, asks
from tests.fakes.waiting import wait_until


@pytest.fixture
def launch(service: Service, tmp_path: Path) -> Iterator[Launch]:
    """A launch of our own, on the shared store."""
    api, management, metrics = free_ports(3)
    (tmp_path / "serve").mkdir()
    launch = Launch(
        folder=tmp_path / "serve",
        store=service.source.store.root,
        ports=(api, management, metrics),
    )
    yield launch
    stop(launch.folder)


def beside(service: Service, launch: Launch) -> Service:
    """Return the service of a launch, which answers as the shared one does."""
    return replace(service, folder=launch.folder, process=read(launch.folder))


def is_clean(error: ClientError) -> bool:
    """Return whether a caller was told no before anything of his call was done."""
    if isinstance(error, NotReady):
        return (error.status, error.code) == (503, "not_ready")
    return isinstance(error, ServiceUnreachable) and isinstance(error.__cause__, httpx.ConnectError)


def assert_drained(service: Service, load: Load) -> None:
    """Assert that every call was answered or refused, and none was cut off."""
    assert [repr(error.__cause__ or error) for error in load.errors if not is_clean(error)] == []
    assert any(isinstance(error, ServiceUnreachable) for error in load.errors)
    for one in load.answered:
        service.assert_right(one.ask, one.answer)


def test_callers_who_go_on_asking_see_answers_and_clean_refusals_and_no_cut(
    service: Service, launch: Launch
) -> None:
    start(launch)
    own = beside(service, launch)
    with Load(own, asks(48), callers=16) as load:
        load.wait_for_more(64)
        assert stop(launch.folder)
        time.sleep(0.2)
    assert_drained(own, load)


def test_sigterm_to_a_foreground_service_drains_it_and_is_a_success(
    service: Service, launch: Launch
) -> None:
    command = [sys.executable, "-m", "serving", "--folder", str(launch.folder), "run", "--no-token"]
    place = ["--no-redis", "--store", str(launch.store), "--port", str(launch.ports[0])]
    environment = {key: value for key, value in os.environ.items() if key != "REDIS_URL"}
    with subprocess.Popen(
        command + place, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        wait_until(
            "the service is ready", lambda: why_not_ready(launch.folder) is None, timeout_s=200
        )
        own = beside(service, launch)
        with Load(own, asks(24)) as load:
            load.wait_for_more(12)
            process.send_signal(signal.SIGTERM)
            wait_until("it is over", lambda: process.poll() is not None)
            time.sleep(0.2)
        assert process.returncode == 0
    assert_drained(own, load)
    assert not is_recorded(launch.folder)


def test_readiness_says_no_from_the_beginning_of_the_end(service: Service, launch: Launch) -> None:
    start(launch)
    own = beside(service, launch)
    assert own.is_ready()
    with Load(own, asks(24), callers=8) as load:
        load.wait_for_more(8)
        command = [sys.executable, "-m", "serving", "--folder", str(launch.folder), "stop"]
        with subprocess.Popen(command):
            wait_until("it says that it is stopping", lambda: why_not_ready(launch.folder))
            wait_until("nobody new is let in", lambda: not own.is_ready())
    assert_drained(own, load)


def test_an_idle_service_ends_without_a_wait(service: Service, launch: Launch) -> None:
    start(launch)
    began_at = time.monotonic()
    with blocking_http(read(launch.folder).url, 60) as idle:
        assert idle.get("/ping").status_code == 200
        assert stop(launch.folder)
    assert time.monotonic() - began_at < launch.drain_s / 2
