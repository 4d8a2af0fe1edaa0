"""A launch's fork server is begun, written down, begun again, and never needed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.health.stop_mark import StopMark
from serving.torchserve.configure import Launch
from serving.torchserve.running import Running, created, read, write
from serving.torchserve.workers import fork_server
from serving.torchserve.workers.fork_server import (
    PYTHON,
    ForkServerKeeper,
    keep_fork_server,
    write_python,
)


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """A launch that is recorded with nothing that runs."""
    folder = tmp_path / "it's a launch"
    folder.mkdir()
    StopMark(folder).begin()
    url = "http://127.0.0.1:1"
    write(folder, Running(url=url, management_url=url, processes={}, scratch=tmp_path / "scratch"))
    return Launch(folder=folder)


class Begun:
    """Stands in for what begins fork servers: begins processes that sleep."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self, _: Launch) -> int:
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
    keep_fork_server(launch)
    keep_fork_server(launch)
    (process,) = begun.processes
    running = read(launch.folder)
    assert running.fork_server == process.pid
    assert running.processes == {process.pid: created(process.pid)}


def test_it_is_still_known_beside_a_torchserve_that_was_started_again(
    launch: Launch, begun: Begun
) -> None:
    keep_fork_server(launch)
    before, pid = read(launch.folder), os.getpid()
    again = before.model_copy(update={"processes": {pid: created(pid)}, "fork_server": None})
    write(launch.folder, again.beside(before))
    keep_fork_server(launch)
    (process,) = begun.processes
    assert read(launch.folder).processes.keys() == {pid, process.pid}


def test_another_one_is_begun_when_it_has_ended_but_not_again_and_again(
    launch: Launch, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = ForkServerKeeper(launch)
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
    keeper = ForkServerKeeper(launch)
    StopMark(launch.folder).stop(refuse=False)
    keeper.look()
    StopMark(launch.folder).clear()
    (launch.folder / "service.json").unlink()
    keeper.look()
    assert begun.processes == []


def test_one_that_began_while_the_service_was_stopped_is_ended(
    launch: Launch, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin_late(launch: Launch) -> int:
        pid = begun(launch)
        StopMark(launch.folder).stop(refuse=False)
        return pid

    monkeypatch.setattr(fork_server, "_begin", begin_late)
    keep_fork_server(launch)
    (process,) = begun.processes
    assert process.wait(60) == -15
    assert read(launch.folder).fork_server is None


@pytest.mark.parametrize(
    "error", [OSError("no room"), ValueError("no number"), subprocess.TimeoutExpired("it", 30)]
)
def test_one_that_cannot_begin_is_told_and_no_error(
    launch: Launch, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    def fail(_: Launch) -> int:
        raise error

    monkeypatch.setattr(fork_server, "_begin", fail)
    keep_fork_server(launch)
    assert f"no fork server begins ({error})" in caplog.text
    assert read(launch.folder).fork_server is None


def test_what_torchserve_takes_for_python_is_python_for_all_but_workers(launch: Launch) -> None:
    python = write_python(launch.folder)
    assert python == launch.folder.resolve() / PYTHON
    script = launch.folder / "metric_collector.py"
    worker = launch.folder / "model_service_worker.py"
    for program in (script, worker):
        program.write_text("import sys; print(*sys.argv[1:])")
    done = [
        subprocess.run([python, one, "a b", "c"], capture_output=True, text=True, check=True)
        for one in (script, worker)
    ]
    assert [one.stdout for one in done] == ["a b c\n", "a b c\n"]
    assert done[0].stderr == ""
    assert "no fork server answers" in done[1].stderr


def test_a_folder_from_which_nothing_may_run_leaves_torchserve_its_python(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert write_python(launch.folder) is None
