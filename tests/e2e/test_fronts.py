"""Fronts decode and one process owns the device: answers are the same, and any of them may die."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import psutil
import pytest

from adapters.ports import free_ports
from clients.errors import ClientError
from clients.load.closed import Ask
from serving.errors import LaunchError
from serving.launch.device import has_device
from serving.launch.launch import FrontName, Launch
from serving.launch.running import read
from serving.protocol import Answer
from serving.service import care_of, start, stop
from tests.e2e.service import IMAGES, TASKS, Load, Published, Service, asks, assert_drained
from tests.fakes.exposed import told_at
from tests.fakes.waiting import wait_until
from tests.fakes.workers import fronts_of

FRONTS = 2


@pytest.fixture(scope="module", params=get_args(FrontName))
def launch(
    request: pytest.FixtureRequest,
    published: Published,
    tmp_path_factory: pytest.TempPathFactory,
) -> Launch:
    folder = tmp_path_factory.mktemp("fronts") / "serve"
    *ports, health_port = free_ports(4)
    return Launch(
        folder=folder,
        front=request.param,
        store=published.source.store.root,
        ports=tuple(ports),
        health_port=health_port,
        settings={"front_workers": FRONTS},
    )


@pytest.fixture(scope="module")
def fronts(published: Published, launch: Launch) -> Iterator[Service]:
    start(launch)
    yield published.served(launch.folder)
    stop(launch.folder, draining=False)


def device_of(service: Service) -> psutil.Process:
    """Return the fork that is no front."""
    server = psutil.Process(read(service.folder).fork_server)
    (device,) = set(server.children()) - set(fronts_of(service.process))
    return device


def told(launch: Launch) -> dict[str, float]:
    """Return the metrics of all processes together."""
    port = launch.ports[0] if launch.front == "asgi" else launch.health_port
    return told_at(f"http://127.0.0.1:{port}")


def answers(service: Service) -> bool:
    with service.client() as client:
        try:
            return client.predict(IMAGES[0], task=TASKS[0]).task == TASKS[0]
        except ClientError:
            return False


def assert_right(service: Service) -> None:
    """Ask from many threads at once, and compare with an engine of this process."""
    with service.client(retries=3) as client, ThreadPoolExecutor(8) as callers:

        def answer(ask: Ask) -> Answer:
            return client.predict(ask.image, task=ask.task, top_k=ask.top_k)

        asked = asks(24)
        for ask, found in zip(asked, callers.map(answer, asked), strict=True):
            service.assert_right(ask, found)


def test_fronts_answer_as_one_process_does(fronts: Service) -> None:
    assert len(fronts_of(fronts.process)) == FRONTS
    assert_right(fronts)
    for task in TASKS:
        fronts.assert_numbers(IMAGES[0], task)


def test_fronts_and_the_device_count_together(fronts: Service, launch: Launch) -> None:
    before = told(launch)
    assert_right(fronts)
    after = told(launch)
    more = {series: after[series] - before[series] for series in after}
    assert more['spt_requests_total{status="200"}'] == more['spt_rows_total{code="ok"}'] == 24
    assert more["spt_batch_rows_sum"] == 24
    assert more['spt_phase_seconds_count{phase="answer"}'] > 0  # told by a front
    assert more['spt_phase_seconds_count{phase="lookup"}'] > 0  # told by the device
    assert after["spt_ready"] == after["spt_store_up"] == 1
    wait_until("gauges are told", lambda: told(launch)["spt_bank_adapters"] == len(TASKS))


def test_a_device_process_that_is_killed_is_followed_by_another(
    fronts: Service, launch: Launch
) -> None:
    before, workers = device_of(fronts), fronts_of(fronts.process)
    counted = told(launch)
    before.kill()
    wait_until("its launcher has ended", lambda: not has_device(fronts.folder))
    left = told(launch)
    assert "spt_bank_bytes" in counted
    assert "spt_bank_bytes" not in left
    assert left["spt_batch_rows_count"] >= counted["spt_batch_rows_count"]
    care_of(launch).look()  # as the supervisor does
    wait_until("the next one answers", lambda: answers(fronts), timeout_s=120)
    assert device_of(fronts) != before
    wait_until("its gauges are told", lambda: told(launch)["spt_bank_bytes"] > 0)
    assert fronts_of(fronts.process) == workers, "no front was touched"
    assert_right(fronts)


def test_fronts_that_are_killed_leave_the_device_alone(fronts: Service, launch: Launch) -> None:
    device, before = device_of(fronts), fronts_of(fronts.process)
    counted = told(launch)
    for front in before:
        front.kill()

    def others_work() -> bool:
        now = fronts_of(fronts.process)
        return len(now) == FRONTS and not set(now) & set(before) and answers(fronts)

    wait_until("other fronts answer", others_work, timeout_s=120)
    assert device_of(fronts) == device
    assert_right(fronts)
    requests = 'spt_requests_total{status="200"}'
    assert told(launch)[requests] >= counted[requests] + 24


def test_a_stop_answers_all_who_have_asked_and_leaves_no_process_behind(fronts: Service) -> None:
    whole = [device_of(fronts), *fronts_of(fronts.process)]
    with Load(fronts, asks(24), callers=6) as load:
        load.wait_for_more(12)
        assert stop(fronts.folder)
        load.wait_for_refusals()
    assert_drained(fronts, load)
    wait_until("all have ended", lambda: not any(map(psutil.Process.is_running, whole)))


def test_a_device_that_cannot_be_loaded_is_told_at_the_start(
    published: Published, tmp_path: Path
) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"none")
    launch = Launch(
        folder=tmp_path / "serve",
        front="asgi",
        store=published.source.store.root,
        weights=weights,
        ports=free_ports(3),
        settings={"front_workers": FRONTS},
    )
    with pytest.raises(LaunchError, match=r"owns the device cannot load: .*weights\.safetensors"):
        start(launch)
