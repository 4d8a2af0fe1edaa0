"""`spt run --front asgi`: no Java, one process for all, killed, begun again, told to end.

The tests ask one service, in their order.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from adapters.ports import free_ports
from clients.client import Client
from clients.errors import BadKey, ClientError, NotReady
from serving.launch.running import is_recorded, read
from serving.service import rotate, stop, why_not_ready
from tests.e2e.service import IMAGES, TASKS, Load, Published, Service, asks, assert_drained
from tests.fakes.exposed import told_at
from tests.fakes.waiting import wait_until
from tests.fakes.workers import fronts_of

LOADS_S = 240.0


class Foreground:
    """The command, and the service that it stays with."""

    def __init__(self, folder: Path, published: Published) -> None:
        self._published = published
        self.folder = folder
        store = str(published.source.store.root)
        command = [sys.executable, "-m", "serving", "--folder", str(folder), "run"]
        command += ["--front", "asgi", "--port", str(free_ports(1)[0]), "--store", store]
        environment = dict(os.environ) | {"JAVA_HOME": "/nowhere", "REDIS_URL": ""}
        self.command = subprocess.Popen([*command, "--no-redis"], env=environment)

    def is_ready(self) -> bool:
        assert self.command.poll() is None
        return why_not_ready(self.folder) is None

    @property
    def service(self) -> Service:
        return self._published.served(self.folder)

    def answers(self) -> bool:
        """Return whether it answers as it must."""
        service = self.service
        (ask,) = asks(1)
        try:
            with service.client() as client:
                service.assert_right(ask, client.predict(ask.image, task=ask.task, top_k=ask.top_k))
        except ClientError:
            return False
        return True


@pytest.fixture(scope="module")
def foreground(
    published: Published, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Foreground]:
    foreground = Foreground(tmp_path_factory.mktemp("asgi") / "serve", published)
    with foreground.command:
        try:
            wait_until("it is ready", foreground.is_ready, timeout_s=LOADS_S)
            yield foreground
        finally:
            stop(foreground.folder, draining=False)
            foreground.command.kill()


def test_it_answers_who_has_the_token_and_no_process_of_it_is_java(foreground: Foreground) -> None:
    assert foreground.answers()
    with Client(foreground.service.url) as stranger, pytest.raises(BadKey):
        stranger.predict(IMAGES[0], task=TASKS[0])
    processes = psutil.Process(foreground.command.pid).children(recursive=True)
    assert {process.name().rstrip("0123456789.") for process in processes} == {"python"}


def test_it_tells_its_metrics_to_who_has_no_token(foreground: Foreground) -> None:
    told = told_at(foreground.service.url)
    assert told['spt_rows_total{code="ok"}'] >= 1
    assert told['spt_refusals_total{code="bad_token"}'] >= 1
    assert told["spt_ready"] == 1
    assert told["spt_bank_bytes"] > 0
    info = 'backbone="vit_micro_patch8_64",backend="torch",precision="float32"'
    assert any(info in series for series in told)


def test_a_new_token_counts_at_once_and_cuts_nobody_off_who_reads_its_file(
    foreground: Foreground,
) -> None:
    file = foreground.service.process.token_file
    assert file is not None
    before = file.read_text()
    with Load(foreground.service, asks(12)) as load:
        for _ in range(3):
            load.wait_for_more(3)
            rotate(foreground.folder)
        load.wait_for_more(3)
    assert load.errors == []
    with Client(foreground.service.url, token=before) as old, pytest.raises(BadKey):
        old.predict(IMAGES[0], task=TASKS[0])


def test_a_process_that_is_killed_is_followed_by_another(foreground: Foreground) -> None:
    first = read(foreground.folder)
    (worker,) = fronts_of(first)
    worker.kill()
    worker.wait(LOADS_S)
    with foreground.service.client() as client, pytest.raises(NotReady) as told:
        client.predict(IMAGES[0], task=TASKS[0])
    assert told.value.retry_after_s == 1
    wait_until("another one answers", foreground.answers, timeout_s=LOADS_S)
    assert read(foreground.folder) == first
    assert fronts_of(first) != [worker]


def test_a_front_that_is_killed_is_begun_again_by_who_stays_with_it(foreground: Foreground) -> None:
    first = read(foreground.folder)
    (worker,) = fronts_of(first)
    psutil.Process(first.front_process).kill()
    wait_until("what it began has ended", lambda: not worker.is_running())
    wait_until("another one is ready", foreground.is_ready, timeout_s=LOADS_S)
    assert read(foreground.folder).front_process != first.front_process
    assert foreground.answers()


def test_sigterm_under_load_cuts_nobody_off_and_is_a_success(foreground: Foreground) -> None:
    service = foreground.service
    with Load(service, asks(48), callers=8) as load:
        load.wait_for_more(16)
        foreground.command.send_signal(signal.SIGTERM)
        wait_until("it says that it is stopping", lambda: why_not_ready(foreground.folder))
        assert foreground.command.wait(120) == 0
        load.wait_for_refusals()
    assert_drained(service, load)
    assert not is_recorded(foreground.folder)
    assert not service.process.scratch.exists()
