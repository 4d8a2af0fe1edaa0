"""`python -m serving start` leaves a service that needs nobody, `stop` leaves nothing.

The service has tokens: who has none is refused, and a new one cuts nobody off who reads its file.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis

from adapters.ports import free_ports, is_free
from clients.client import Client
from clients.connection import blocking_http
from clients.errors import BadKey
from serving.errors import LaunchError
from serving.health import heartbeat
from serving.health.stop_mark import StopMark
from serving.launch.launch import Launch
from serving.launch.running import is_recorded, read
from serving.service import rotate, start, stop, why_not_ready
from tests.e2e.service import IMAGES, TASKS, Load, Published, Service, asks
from tests.fakes.waiting import wait_until
from tests.fakes.workers import workers_of


class Commands:
    """`python -m serving` on a folder of its own."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.service, self.store = folder / "serve", store
        self.sessions: set[int] = set()
        self.port = free_ports(4)[0]
        self.url = f"http://127.0.0.1:{self.port}"

    def spawn(self, *words: str, output: int | None = None) -> subprocess.Popen[str]:
        """Start one command in a session of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "serving", "--folder", str(self.service), *words],
            env={key: value for key, value in os.environ.items() if key != "REDIS_URL"},
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
        )
        self.sessions.add(process.pid)
        return process

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command, and wait until nobody holds its output."""
        with self.spawn(*words, output=subprocess.PIPE) as process:
            stdout, stderr = process.communicate(timeout=1000)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    @property
    def start_words(self) -> tuple[str, ...]:
        return ("start", "--store", str(self.store), "--port", str(self.port))

    def start(self) -> subprocess.CompletedProcess[str]:
        return self.run(*self.start_words)

    def is_ready(self) -> bool:
        """Return what the command `ready` says, without a process for each look."""
        return why_not_ready(self.service) is None

    def is_of(self, process: psutil.Process) -> bool:
        """Return whether a process was started by one of the commands on this folder."""
        try:
            return str(self.service) in process.cmdline()
        except psutil.Error:
            return False

    def processes(self) -> list[psutil.Process]:
        """Return what runs: TorchServe, its worker, what that is a fork of, and Redis."""
        record = json.loads((self.service / "service.json").read_text())
        roots = [psutil.Process(int(pid)) for pid in record["processes"]]
        return roots + [child for root in roots for child in root.children(recursive=True)]


@contextmanager
def commands_in(folder: Path, published: Published) -> Iterator[Commands]:
    commands = Commands(folder, published.source.store.root)
    yield commands
    stop(commands.service)


@pytest.fixture
def commands(tmp_path: Path, published: Published) -> Iterator[Commands]:
    with commands_in(tmp_path, published) as commands:
        yield commands


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, published: Published) -> Iterator[Commands]:
    """A service that was started by the command; the last test of it stops it."""
    with commands_in(tmp_path_factory.mktemp("started"), published) as commands:
        done = commands.start()
        assert done.returncode == 0, done.stderr
        assert commands.url in done.stdout
        yield commands


def ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_start_that_is_told_to_end_while_it_waits_leaves_nothing(commands: Commands) -> None:
    with commands.spawn(*commands.start_words) as process:
        wait_until("TorchServe is written down", lambda: is_recorded(commands.service))
        processes = commands.processes() + psutil.Process(process.pid).children(recursive=True)
        assert any("valkey" in one.name() or "redis" in one.name() for one in processes)
        process.terminate()
        assert process.wait(200) != 0
    wait_until("all have ended", lambda: all(map(ended, processes)))
    assert not is_recorded(commands.service)


def test_a_start_leaves_a_service_that_stands_alone(started: Commands) -> None:
    processes = started.processes()
    names = [process.name() for process in processes]
    assert any("java" in name for name in names), names
    assert any("redis" in name or "valkey" in name for name in names), names
    assert started.sessions.isdisjoint(os.getsid(process.pid) for process in processes)

    assert started.is_ready()
    assert started.run("ready").stdout == "ready\n"
    with Client(started.url, token_file=started.service / "inference.token") as client:
        assert client.predict(IMAGES[0], task=TASKS[0]).task == TASKS[0]

    with redis.from_url((started.service / "redis.url").read_text()) as publisher:
        assert publisher.keys(f"spt:*:pointer:{TASKS[0]}")
    port = publisher.connection_pool.connection_kwargs["port"]
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_a_second_start_is_refused_and_the_first_service_goes_on(started: Commands) -> None:
    with pytest.raises(LaunchError, match="make stop"):
        start(Launch(folder=started.service))
    assert started.is_ready()


@pytest.fixture
def guarded(started: Commands, published: Published) -> Service:
    return published.served(started.service)


def test_a_caller_without_the_token_or_with_another_is_refused(guarded: Service) -> None:
    for token in (None, "wrong", token_of(guarded.process.management_token_file)):
        with Client(guarded.url, token=token) as client, pytest.raises(BadKey):
            client.predict(IMAGES[0], task=TASKS[0])


def test_management_wants_its_own_token(guarded: Service) -> None:
    assert guarded.is_ready()
    url = f"{guarded.process.management_url}/models/spt"
    for path in (None, guarded.process.token_file):
        headers = {} if path is None else {"Authorization": f"Bearer {token_of(path)}"}
        with guarded.plain_http() as http:
            assert http.get(url, headers=headers).status_code == 400


def test_a_new_token_cuts_nobody_off_who_reads_its_file(guarded: Service) -> None:
    before = token_of(guarded.process.token_file)
    with Load(guarded, asks(24), callers=4) as load:
        for _ in range(5):
            load.wait_for_more(8)
            rotate(guarded.folder)
        load.wait_for_more(8)
    assert load.errors == []
    with Client(guarded.url, token=before) as client, pytest.raises(BadKey):
        client.predict(IMAGES[0], task=TASKS[0])


def token_of(path: Path | None) -> str:
    assert path is not None
    return path.read_text()


def test_probes_are_answered_without_a_token_and_readiness_ends_before_the_service(
    started: Commands,
) -> None:
    url = f"http://127.0.0.1:{started.port + 3}"
    with blocking_http(url, 60) as http:
        assert (http.get("/livez").status_code, http.get("/readyz").status_code) == (200, 200)
        StopMark(started.service).stop(refuse=False)
        assert (http.get("/livez").status_code, http.get("/readyz").status_code) == (200, 503)
        StopMark(started.service).begin()
    beats = started.service / heartbeat.FILE
    first = beats.stat().st_mtime
    wait_until("an idle worker's heart beats", lambda: beats.stat().st_mtime > first)
    (worker,) = workers_of(read(started.service))
    worker.suspend()
    try:
        tired = time.time() - 2 * heartbeat.READY_S
        os.utime(beats, (tired, tired))
        assert "has done nothing for" in started.run("ready").stdout
    finally:
        worker.resume()
    wait_until("it beats again", started.is_ready)
    assert started.run("ready").returncode == 0


def test_a_java_that_ended_by_itself_is_started_again_and_keeps_its_redis(
    started: Commands,
) -> None:
    before = set(started.processes())
    (java,) = (one for one in before if "java" in one.name())
    (redis_server,) = (one for one in before if "valkey" in one.name() or "redis" in one.name())
    fork_server = psutil.Process(read(started.service).fork_server)
    java.kill()
    wait_until("it is not ready", lambda: not started.is_ready())
    wait_until("it is again", started.is_ready)
    assert before & set(started.processes()) == {redis_server, fork_server}


def test_a_stop_ends_all_of_an_idle_service_without_a_wait(started: Commands) -> None:
    processes = started.processes()
    with blocking_http(started.url, 60) as idle:
        idle.get("/ping")
        stopped = started.run("stop")
    assert (stopped.stdout, stopped.stderr) == ("stopped\n", "")  # a drain that gives up says so
    assert [process for process in processes if not ended(process)] == []
    left = {path.name for path in started.service.iterdir()}
    assert not left & {"fork-server.sock", "key_file.json"}
    assert not [name for name in left if name.endswith((".token", ".url"))]
    wait_until("nobody stays", lambda: not any(map(started.is_of, psutil.process_iter())))
    assert all(map(is_free, range(started.port, started.port + 3)))
    assert stop(started.service) is False
