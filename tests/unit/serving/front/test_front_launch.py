"""The ASGI front of a launch: begun without Java, asked at its own port, told to end."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import yaml

from adapters.ports import free_ports
from serving.build_front import read_config
from serving.errors import ConfigError, LaunchError
from serving.front import launch as launch_module
from serving.front.launch import AsgiFront
from serving.launch.launch import SETTINGS, Launch
from serving.launch.running import Running, created, is_recorded, write
from serving.launch.token_file import token_file
from serving.service import rotate, start, stop, why_not_ready
from tests.fakes.listening import listening
from tests.fakes.waiting import wait_until

Spawn = Callable[..., Running]


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    settings = {"front_workers": 2, "pinned": ["pets"]}
    return Launch(
        folder=tmp_path / "serve", front="asgi", ports=free_ports(3), settings=settings, token=True
    )


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Answer everything so on a free port; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with listening(Handler) as address:
        yield address


def program(script: str) -> list[str]:
    """Return a Python program that prints when it may be told to end."""
    return [sys.executable, "-c", script + "; print(flush=True); time.sleep(600)"]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Return what begins a front of this test's, and writes it down."""
    begun: list[subprocess.Popen[bytes]] = []

    def spawn(script: str = "import time", drain_s: float = 30.0) -> Running:
        process = subprocess.Popen(program(script), stdout=subprocess.PIPE)
        begun.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        running = Running(
            url="http://127.0.0.1:1",
            front="asgi",
            front_process=process.pid,
            processes={process.pid: created(process.pid), os.getpid(): 0.0},
            scratch=tmp_path / "scratch",
            drain_s=drain_s,
        )
        write(tmp_path, running)
        return running

    yield spawn
    for process in begun:
        process.kill()
        process.communicate()


def test_its_settings_are_read_by_all_its_processes(launch: Launch) -> None:
    AsgiFront().configure(launch)
    config = read_config(launch.folder)
    assert (config.front_workers, config.pinned) == (2, ("pets",))
    assert yaml.safe_load((launch.folder / SETTINGS).read_text()).keys() == {"spt"}


def test_a_wrong_setting_is_refused_before_anything_starts(launch: Launch) -> None:
    wrong = launch.model_copy(update={"settings": {"batch_sise": 2}})
    with pytest.raises(ConfigError, match="batch_sise"):
        start(wrong)
    assert not is_recorded(wrong.folder)


def test_one_that_cannot_begin_is_told_in_one_line_and_leaves_nothing(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    alone = launch.model_copy(update={"settings": {}})
    with socket.socket() as taken:  # bound, but nobody listens: only who binds it finds out
        taken.bind(("127.0.0.1", launch.ports[0]))
        told = r"cannot begin: 127\.0\.0\.1, port \d+: Address already in use.*; see .*front\.log"
        with pytest.raises(LaunchError, match=told):
            start(alone)
    assert not is_recorded(alone.folder)
    assert not token_file(alone.folder).exists()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("WARNING x: y\nerror: no such backbone\nERROR: stopped", "no such backbone"),
        ("Killed", "Killed"),
        ("", "it said nothing"),
    ],
)
def test_of_what_a_front_that_has_ended_said_its_error_is_told(
    spawn: Spawn, tmp_path: Path, said: str, told: str
) -> None:
    running, log = spawn(), tmp_path / "front.log"
    log.write_text("error: of yesterday\n" + said)
    check = partial(launch_module._check, running, log, len("error: of yesterday\n"))
    check()
    (process,) = running.alive()
    process.kill()
    process.wait()
    with pytest.raises(LaunchError, match=f"cannot begin: {told}; see {log}"):
        check()


def test_processes_that_crash_again_and_again_while_they_load_are_not_waited_for(
    spawn: Spawn, tmp_path: Path
) -> None:
    running, log = spawn(), tmp_path / "front.log"
    crash = "Process SpawnProcess-1:\nTraceback (most recent call last):\n  File\nKeyError: 'x'\n"
    log.write_text(crash)
    launch_module._check(running, log, 0)
    log.write_text(2 * crash)
    with pytest.raises(LaunchError, match="cannot begin: KeyError: 'x'; see"):
        launch_module._check(running, log, 0)


def test_only_its_one_port_must_be_free(launch: Launch) -> None:
    assert AsgiFront().ports(launch) == [launch.ports[0]]


def test_a_fork_server_is_there_for_the_device_process_alone(launch: Launch) -> None:
    assert AsgiFront().preloaded(launch) == ("serving.device.process",)
    assert AsgiFront().preloaded(launch.model_copy(update={"settings": {}})) == ()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"{}", None),
        (503, json.dumps({"ok": False, "reason": "it is tired"}).encode(), "it is tired"),
        (404, b"no such page", "something else answers"),
        (503, b"[]", "something else answers"),
    ],
)
def test_readiness_is_what_the_front_says(
    spawn: Spawn, tmp_path: Path, status: int, body: bytes, told: str | None
) -> None:
    running = spawn()
    assert why_not_ready(tmp_path) == "no front answers"
    with answering(status, body) as url:
        write(tmp_path, running.model_copy(update={"url": url}))
        found = why_not_ready(tmp_path)
    assert (found or "").startswith(told or "")
    assert (found is None) == (told is None)


def test_a_stop_tells_the_front_first_and_waits_for_it(spawn: Spawn, tmp_path: Path) -> None:
    last_words = tmp_path / "last words"
    running = spawn(
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: "
        f"(time.sleep(0.5), pathlib.Path({str(last_words)!r}).touch(), sys.exit()))"
    )
    assert stop(tmp_path)
    assert last_words.exists()
    assert running.alive() == []


def test_a_front_that_does_not_end_in_time_is_said_and_ended(
    spawn: Spawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    for name in ("_LEAVE_S", "_PATIENCE_S"):
        monkeypatch.setattr(launch_module, name, 0.05)
    monkeypatch.setattr("serving.launch.processes._STOP_TIMEOUT_S", 0.1)
    running = spawn("import signal, time; signal.signal(15, lambda *_: None)", drain_s=0.05)
    assert stop(tmp_path)
    assert "not all requests were answered in 0.05 s" in caplog.text
    wait_until("it has ended", lambda: running.alive() == [])


def test_a_new_token_is_handed_out_at_once(spawn: Spawn, tmp_path: Path) -> None:
    before = launch_module._make_token(tmp_path).read_text()
    write(tmp_path, spawn().model_copy(update={"token_file": token_file(tmp_path)}))
    path = rotate(tmp_path)
    assert path == token_file(tmp_path)
    assert path.read_text() != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(LaunchError, match="no management token"):
        rotate(tmp_path, "management")


def test_a_token_that_cannot_be_written_down_is_said(
    spawn: Spawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write(tmp_path, spawn().model_copy(update={"token_file": token_file(tmp_path)}))
    monkeypatch.setattr(launch_module, "write_private", full)
    with pytest.raises(LaunchError, match=r"no new token is made \(No space left"):
        rotate(tmp_path)
