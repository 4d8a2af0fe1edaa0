"""Start and stop TorchServe, with Redis beside it, as processes of our own.

Starts `torchserve --start`, waits until a worker is really ready, and ends only what it
started. Knows nothing of tensors.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field

from serving.configure import Launch, environment, write_configuration
from serving.errors import LaunchError

_READY_TIMEOUT_S = 600
_STOP_TIMEOUT_S = 30


class Running(BaseModel):
    """What runs; written to `service.json` so that another process can stop it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    management_url: str
    processes: dict[int, float] = Field(description="process id to its creation time")
    scratch: Path
    redis_url: str | None = Field(None, description="where a publication is announced")


def start(launch: Launch) -> Running:
    """Start TorchServe and wait until a worker is ready.

    Raises:
        LaunchError: already running, no Java, or the worker did not become ready; names the log.
    """
    record = launch.folder / "service.json"
    if record.exists() and _is_alive(_read(launch.folder)):
        raise LaunchError(f"{record} says that a service runs already; stop it first: make stop")
    _refuse_taken_ports(launch)
    try:
        running = spawn(launch, write_configuration(launch))
        _wait_until_ready(running, launch.folder)
    except BaseException:
        stop(launch.folder)
        raise
    return running


def spawn(launch: Launch, config: Path, changes: Mapping[str, str] | None = None) -> Running:
    """Start a TorchServe, wait for nothing, and write down what `stop` will end.

    Args:
        launch: whose folder, ports and environment it gets.
        config: its config.properties.
        changes: of that environment.
    """
    with _interrupts_held_back():
        running = _spawn(launch, config, changes or {})
        (launch.folder / "service.json").write_text(running.model_dump_json(indent=2))
    return running


def _spawn(launch: Launch, config: Path, changes: Mapping[str, str]) -> Running:
    scratch = Path(tempfile.mkdtemp(prefix="spt-"))
    command = [
        str(Path(sys.executable).parent / "torchserve"),
        *("--start", "--ncs", "--ts-config", str(config)),
    ]
    with (launch.folder / "console.log").open("ab") as console:
        subprocess.run(
            command,
            env={**environment(launch, scratch), **changes},
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=True,
        )
    pid = int((scratch / ".model_server.pid").read_text())
    return Running(
        url=f"http://127.0.0.1:{launch.ports[0]}",
        management_url=f"http://127.0.0.1:{launch.ports[1]}",
        processes={pid: _created(pid)},
        scratch=scratch,
        redis_url=launch.redis_url,
    )


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let Ctrl-C wait until what was started is written down, or nobody could stop it."""
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if heard:
        raise KeyboardInterrupt


def adopt(folder: Path, pid: int) -> None:
    """Have `stop` end one more process, such as the Redis started beside the service."""
    running = _read(folder)
    processes = running.processes | {pid: _created(pid)}
    updated = running.model_copy(update={"processes": processes})
    (folder / "service.json").write_text(updated.model_dump_json(indent=2))


def stop(folder: Path) -> bool:
    """End what `start` started in this folder; return whether anything was recorded there."""
    if not (folder / "service.json").exists():
        return False
    running = _read(folder)
    ours = [p for pid, made in running.processes.items() if (p := _same(pid, made))]
    workers = [child for process in ours for child in process.children(recursive=True)]
    for process in ours:
        process.terminate()
    _, alive = psutil.wait_procs(ours + workers, timeout=_STOP_TIMEOUT_S)
    for process in alive:
        process.kill()
    shutil.rmtree(running.scratch, ignore_errors=True)
    (folder / "service.json").unlink()
    return True


def is_ready(management_url: str, model: str = "spt") -> bool:
    """Whether a worker is READY; TorchServe's own /ping says Healthy while its workers are dead."""
    try:
        with urllib.request.urlopen(f"{management_url}/models/{model}", timeout=2) as answer:
            models = json.load(answer)
    except (OSError, ValueError):
        return False
    return any(worker["status"] == "READY" for entry in models for worker in entry["workers"])


def _refuse_taken_ports(launch: Launch) -> None:
    for port in launch.ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise LaunchError(
                    f"port {port} is taken by another process; stop it or choose other ports"
                )


def _wait_until_ready(running: Running, folder: Path) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    logs = f"see {folder / 'logs' / 'torchserve.log'} and {folder / 'console.log'}"
    while not is_ready(running.management_url):
        if not _is_alive(running):
            raise LaunchError(f"TorchServe ended before its worker was ready; {logs}")
        if time.monotonic() > deadline:
            raise LaunchError(f"no worker was ready after {_READY_TIMEOUT_S} s; {logs}")
        time.sleep(0.2)


def _read(folder: Path) -> Running:
    return Running.model_validate_json((folder / "service.json").read_text())


def _is_alive(running: Running) -> bool:
    return any(_same(pid, made) for pid, made in running.processes.items())


def _created(pid: int) -> float:
    return float(psutil.Process(pid).create_time())


def _same(pid: int, created: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - created) < 1 else None
    except psutil.NoSuchProcess:
        return None
