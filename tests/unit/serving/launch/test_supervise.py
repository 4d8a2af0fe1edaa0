"""Whoever stays with a service begins it again when it ends by itself, and goes with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from serving.errors import LaunchError
from serving.health.stop_mark import StopMark
from serving.launch import supervise as supervise_module
from serving.launch.running import Running, is_recorded, read, write
from serving.launch.supervise import Care, sigterm_as_interrupt, supervise
from serving.service import stop
from tests.fakes.waiting import wait_until


def never(_: Running) -> Running:
    """Stand in for what starts a service again, where that must not happen."""
    raise AssertionError("nothing is to be started again")


def nothing() -> None:
    """Stand in for what else is looked after while a service runs."""


def care(
    folder: Path,
    again: Callable[[Running], Running] = never,
    look: Callable[[], None] = nothing,
) -> Care:
    return Care(folder, again, look, lambda draining: stop(folder, draining=draining))


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def test_whoever_stays_with_a_service_tells_when_it_ends_by_itself(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch
) -> None:
    monkeypatch.setattr(supervise_module, "_PAUSES_S", ())
    process.kill()
    process.wait()
    with pytest.raises(LaunchError, match="ended by itself"):
        supervise(care(tmp_path), recorded)
    assert not is_recorded(tmp_path)


def test_a_service_that_ended_by_itself_is_started_again_after_a_pause_that_grows(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch, caplog
) -> None:
    monkeypatch.setattr(supervise_module, "_PAUSES_S", (0.01, 0.02, 0.03))
    process.kill()
    process.wait()
    attempts = []

    def again(_: Running) -> Running:
        attempts.append(time.monotonic())
        if len(attempts) < 3:
            raise LaunchError("no room on the disk")
        StopMark(tmp_path).begin()
        StopMark(tmp_path).stop(refuse=False)
        stop(tmp_path, draining=False)
        return recorded

    supervise(care(tmp_path, again=again), recorded)
    assert len(attempts) == 3
    assert caplog.text.count("it did not start: no room on the disk") == 2
    assert "started again in 0.03 s" in caplog.text


def test_whoever_stays_leaves_a_service_alone_that_was_begun_anew(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch
) -> None:
    another = recorded.model_copy(update={"scratch": tmp_path / "another"})
    monkeypatch.setattr(
        supervise_module,
        "_pause",
        lambda *_: write(tmp_path, another),  # stopped, and started
    )
    process.kill()
    process.wait()
    supervise(care(tmp_path), recorded)
    assert read(tmp_path) == another


def test_a_service_that_cannot_be_started_again_is_given_up_and_ended(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch
) -> None:
    def fail(_: Running) -> Running:
        raise LaunchError("no Java")

    monkeypatch.setattr(supervise_module, "_PAUSES_S", (0.01, 0.01))
    process.kill()
    process.wait()
    with pytest.raises(LaunchError, match=r"ended by itself.* 3 times"):
        supervise(care(tmp_path, again=fail), recorded)
    assert not is_recorded(tmp_path)


def test_whoever_stays_goes_when_the_service_is_stopped_elsewhere(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    command = [sys.executable, "-m", "serving", "--folder", str(tmp_path), "stop"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        supervise(care(tmp_path), recorded)
        assert other.communicate()[0] == "stopped\n"


def test_whoever_stays_looks_after_what_else_a_service_that_runs_needs(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    looks = []

    def look() -> None:
        looks.append(len(recorded.alive()))
        if len(looks) == 2:
            stop(tmp_path, draining=False)

    supervise(care(tmp_path, look=look), recorded)
    assert looks == [1, 1]


def test_whoever_stays_ends_the_service_when_told_to_end(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with sigterm_as_interrupt():
        killer = [sys.executable, "-c", f"import os; os.kill({os.getpid()}, 15)"]
        with subprocess.Popen(killer):
            supervise(care(tmp_path), recorded)
    assert signal.getsignal(signal.SIGTERM) is before
    assert not is_recorded(tmp_path)
    wait_until("it has ended", lambda: not recorded.alive())


def test_orphans_of_whoever_stays_do_not_remain_as_zombies(
    recorded: Running, tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch
) -> None:
    monkeypatch.setattr(supervise_module, "_PAUSES_S", ())
    orphan = "import subprocess; print(subprocess.Popen(['sleep', '0.1']).pid)"
    with sigterm_as_interrupt():
        command = [sys.executable, "-c", orphan]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        left = psutil.Process(int(done.stdout))
        wait_until("the orphan has ended", lambda: left.status() == psutil.STATUS_ZOMBIE)
        process.kill()
        with pytest.raises(LaunchError):
            supervise(care(tmp_path), recorded)
    assert not psutil.pid_exists(int(done.stdout))
