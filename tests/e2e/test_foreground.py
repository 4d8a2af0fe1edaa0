"""A service in the foreground that is told to end answers all it let in, and refuses the others."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ports import free_ports
from serving.launch.launch import Launch
from serving.launch.running import is_recorded
from serving.service import stop, why_not_ready
from tests.e2e.service import Load, Published, asks, assert_drained
from tests.fakes.waiting import wait_until


@pytest.fixture
def launch(published: Published, tmp_path: Path) -> Iterator[Launch]:
    (tmp_path / "serve").mkdir()
    launch = Launch(
        folder=tmp_path / "serve", store=published.source.store.root, ports=free_ports(3)
    )
    yield launch
    stop(launch.folder)


def test_sigterm_to_a_foreground_service_drains_it_and_is_a_success(
    published: Published, launch: Launch
) -> None:
    command = [sys.executable, "-m", "serving", "--folder", str(launch.folder), "run", "--no-token"]
    place = ["--no-redis", "--store", str(launch.store), "--port", str(launch.ports[0])]
    environment = {key: value for key, value in os.environ.items() if key != "REDIS_URL"}
    with subprocess.Popen(
        command + place, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        wait_until("the service is ready", lambda: why_not_ready(launch.folder) is None)
        own = published.served(launch.folder)
        with Load(own, asks(24)) as load:
            load.wait_for_more(12)
            process.send_signal(signal.SIGTERM)
            wait_until("it is over", lambda: process.poll() is not None)
            load.wait_for_refusals()
        assert process.returncode == 0
    assert_drained(own, load)
    assert not is_recorded(launch.folder)
