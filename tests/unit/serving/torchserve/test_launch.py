"""TorchServe as a front: told why it did not begin, begun again, and asked whether it is ready."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from adapters.ports import free_ports
from serving.errors import LaunchError
from serving.health import heartbeat
from serving.health.stop_mark import StopMark
from serving.launch import services
from serving.launch.launch import Launch
from serving.launch.running import Running, is_recorded, write
from serving.launch.token_file import token_file
from serving.service import care_of, start, stop, why_not_ready
from serving.torchserve import launch as launch_module
from serving.torchserve.tokens import await_tokens
from tests.fakes.waiting import wait_until
from tests.unit.serving.torchserve.fake_management import FakeManagement, served


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    api, metrics = free_ports(2)
    with served(FakeManagement(tmp_path)) as url:
        taken = int(url.rpartition(":")[2])
        launch = Launch(folder=tmp_path / "x", ports=(api, taken, metrics))
        with pytest.raises(LaunchError, match=f"port {taken} is taken"):
            start(launch)
    assert not (tmp_path / "x").exists()


def test_readiness_says_why_not(recorded: Running, tmp_path: Path) -> None:
    assert why_not_ready(tmp_path / "elsewhere") == f"nothing was started in {tmp_path}/elsewhere"
    assert why_not_ready(tmp_path) == "no worker is ready"
    fake = FakeManagement(tmp_path)
    await_tokens(tmp_path)
    with served(fake) as url:
        answering = {
            "management_url": url,
            "management_token_file": token_file(tmp_path, "management"),
        }
        write(tmp_path, recorded.model_copy(update=answering))
        assert why_not_ready(tmp_path) == "its worker has not worked yet"
        beats = tmp_path / heartbeat.FILE
        beats.touch()
        assert why_not_ready(tmp_path) is None
        long_ago = time.time() - 100
        os.utime(beats, (long_ago, long_ago))
        assert "has done nothing for 100 s" in (why_not_ready(tmp_path) or "")
        beats.touch()
        StopMark(tmp_path).stop(refuse=False)
        assert why_not_ready(tmp_path) == "it is stopping"


def torchserve_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> Launch:
    """Put a script in TorchServe's place; return a launch that would start it."""
    program = tmp_path / "torchserve"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(launch_module, "_torchserve", lambda _: [str(program)])
    return Launch(folder=tmp_path / "serve", ports=free_ports(3), token=True)


def test_a_torchserve_that_never_began_is_told_with_its_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = torchserve_that(monkeypatch, tmp_path, "echo java not found; exit 1")
    with pytest.raises(LaunchError, match="did not start: java not found"):
        start(launch)
    assert not is_recorded(launch.folder)


def test_a_service_that_cannot_be_written_down_does_not_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    def full(folder: Path, running: Running) -> None:
        raise OSError(28, "No space left on device", str(folder / "running.json"))

    script = f'echo {process.pid} > "$TMPDIR/.model_server.pid"'
    launch = torchserve_that(monkeypatch, tmp_path, script)
    monkeypatch.setattr(services, "write", full)
    with pytest.raises(LaunchError, match=r"running\.json: No space left on device"):
        services.Services({"torchserve": launch_module.TorchServe()}).begin(launch)
    assert has_ended(process)


def test_a_java_that_ends_before_it_listens_is_told_at_once_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = (
        'echo "Error: Could not find or load main class Projects.spt"; sleep 0.3 & '
        'echo $! > "$TMPDIR/.model_server.pid"'
    )
    launch = torchserve_that(monkeypatch, tmp_path, dying)
    began = time.monotonic()
    with pytest.raises(LaunchError, match=r"ended.*Could not find or load main class Projects"):
        start(launch)
    assert time.monotonic() - began < services._READY_TIMEOUT_S / 2
    assert not is_recorded(launch.folder)


def test_a_service_that_is_started_again_while_it_is_stopped_is_ended(
    recorded: Running,
    tmp_path: Path,
    process: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starting, go_on = tmp_path / "starting", tmp_path / "go-on"
    script = (
        f'touch "{starting}"; while [ ! -e "{go_on}" ]; do sleep 0.05; done; '
        'sleep 60 & echo $! > "$TMPDIR/.model_server.pid"'
    )
    launch = torchserve_that(monkeypatch, tmp_path, script).model_copy(update={"folder": tmp_path})
    process.kill()
    process.wait()

    def stop_in_the_middle() -> None:
        wait_until("it is being started", starting.exists)
        with ThreadPoolExecutor(1) as threads:
            stopping = threads.submit(stop, tmp_path, draining=False)
            wait([stopping], timeout=1.0)  # as long as it is not overtaken, it waits
            go_on.touch()
            assert stopping.result(60)

    with ThreadPoolExecutor(1) as threads:
        stopped = threads.submit(stop_in_the_middle)
        begun = care_of(launch).again(recorded)
        stopped.result(60)
    assert not is_recorded(tmp_path)
    assert begun.alive() == []


def test_a_service_that_was_stopped_is_not_started_again(
    recorded: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = torchserve_that(monkeypatch, tmp_path, f'touch "{tmp_path / "started"}"')
    assert stop(tmp_path, draining=False)
    with pytest.raises(LaunchError, match="stopped meanwhile"):
        care_of(launch.model_copy(update={"folder": tmp_path})).again(recorded)
    assert not (tmp_path / "started").exists()


def test_a_torchserve_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(LaunchError, match="/nowhere/torchserve is not there"):
        launch_module._torchserve(None)
