"""A launch's fork server is begun, written down, begun again, and never needed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.health.stop_mark import StopMark
from serving.launch import fork_server
from serving.launch.fork_server import ForkServerKeeper, keep_fork_server
from serving.launch.launch import Launch
from serving.launch.running import Running, created, read, write


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """A launch that is recorded with nothing that runs."""
    folder = tmp_path / "it's a launch"
    folder.mkdir()
    StopMark(folder).begin()
    url = "http://127.0.0.1:1"
    write(folder, Running(url=url, management_url=url, processes={}, scratch=tmp_path / "scratch"))
    return Launch(folder=folder)


PRELOADED = ("json",)


class Begun:
    """Stands in for what begins fork servers: begins processes that sleep."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self, *_: object) -> int:
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        self.processes.append(subprocess.Popen(command))
        return self.processes[-1].pid

    def end_last(self) -> None:
        self.processes[-1].kill()
        self.processes[-1].wait()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[Begun]:
    begun = Begun()
    monkeypatch.setattr(fork_server, "_begin", begun)
    yield begun
    for process in begun.processes:
        process.kill()
        process.wait()


def test_a_fork_server_is_written_down_and_kept(launch: Launch, begun: Begun) -> None:
    keep_fork_server(launch, PRELOADED)
    keep_fork_server(launch, PRELOADED)
    (process,) = begun.processes
    running = read(launch.folder)
    assert running.fork_server == process.pid
    assert running.processes == {process.pid: created(process.pid)}


def test_it_is_still_known_beside_a_torchserve_that_was_started_again(
    launch: Launch, begun: Begun
) -> None:
    keep_fork_server(launch, PRELOADED)
    before, pid = read(launch.folder), os.getpid()
    again = before.model_copy(update={"processes": {pid: created(pid)}, "fork_server": None})
    write(launch.folder, again.beside(before))
    keep_fork_server(launch, PRELOADED)
    (process,) = begun.processes
    assert read(launch.folder).processes.keys() == {pid, process.pid}


def test_another_one_is_begun_when_it_has_ended_but_not_again_and_again(
    launch: Launch, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = ForkServerKeeper(launch, PRELOADED)
    for count in (1, 1):
        keeper.look()
        assert len(begun.processes) == count
    begun.end_last()
    keeper.look()
    assert len(begun.processes) == 1, "the last attempt was a moment ago"
    monkeypatch.setattr(fork_server, "_PAUSE_S", 0.0)
    keeper.look()
    assert len(begun.processes) == 2
    assert read(launch.folder).fork_server == begun.processes[-1].pid


def test_none_is_begun_for_a_service_that_is_stopping_or_was_stopped(
    launch: Launch, begun: Begun
) -> None:
    keeper = ForkServerKeeper(launch, PRELOADED)
    StopMark(launch.folder).stop(refuse=False)
    keeper.look()
    StopMark(launch.folder).clear()
    (launch.folder / "service.json").unlink()
    keeper.look()
    assert begun.processes == []


def test_one_that_began_while_the_service_was_stopped_is_ended(
    launch: Launch, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin_late(*_: object) -> int:
        pid = begun()
        StopMark(launch.folder).stop(refuse=False)
        return pid

    monkeypatch.setattr(fork_server, "_begin", begin_late)
    keep_fork_server(launch, PRELOADED)
    (process,) = begun.processes
    assert process.wait(60) == -15
    assert read(launch.folder).fork_server is None


@pytest.mark.parametrize(
    "error", [OSError("no room"), ValueError("no number"), subprocess.TimeoutExpired("it", 30)]
)
def test_one_that_cannot_begin_is_told_and_no_error(
    launch: Launch, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(fork_server, "_begin", fail)
    keep_fork_server(launch, PRELOADED)
    assert f"no fork server begins ({error})" in caplog.text
    assert read(launch.folder).fork_server is None


def test_a_launch_that_needs_none_gets_none(launch: Launch, begun: Begun) -> None:
    keep_fork_server(launch, ())
    ForkServerKeeper(launch, ()).look()
    assert begun.processes == []
