"""What a launch started, written down so that any process can find it, ask it and end it."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.errors import LaunchError
from serving.launch.launch import FrontName
from serving.launch.private_file import write_private

RECORD = "service.json"
LOGS = "logs"
CONSOLE = "console.log"
"""What is said before there is a log, and by whoever stays with the service."""
METRICS = "metrics"
"""What its processes count, where there are several."""
REDIS_FILE = "redis.url"
"""The address of the service's Redis with its password, for publishers of the same user."""


class Running(BaseModel):
    """What runs; `service.json` in the launch's folder, for its owner's eyes only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    front: FrontName = Field("torchserve", description="what takes callers")
    front_process: int | None = Field(None, description="the first of the front's processes")
    management_url: str | None = Field(None, description="of TorchServe's management API")
    processes: dict[int, float] = Field(description="process id to its creation time")
    scratch: Path
    redis_url: str | None = Field(None, description="where a publication is announced")
    token_file: Path | None = Field(None, description="what callers must send; None lets all in")
    management_token_file: Path | None = Field(None, description="the same for management")
    fork_server: int | None = Field(None, description="the process that workers are forks of")
    device: int | None = Field(None, description="the process that owns the device, beside fronts")
    drain_s: float = Field(0, ge=0, description="longest wait for open requests at the end")

    def alive(self) -> list[psutil.Process]:
        """Return those of its processes that still run."""
        found = (_same(pid, created) for pid, created in self.processes.items())
        return [process for process in found if process is not None]

    def beside(self, other: "Running") -> "Running":
        """Return this service with what ran for it before, and still does."""
        update = {
            "processes": other.processes | self.processes,
            "fork_server": other.fork_server,
            "device": other.device,
        }
        return self.model_copy(update=update)


def is_recorded(folder: Path) -> bool:
    """Return whether something was started in this folder and not stopped."""
    return (folder / RECORD).exists()


def is_recorded_as(folder: Path, running: Running) -> bool:
    """Return whether this service is what is written down there, told by its own scratch."""
    return is_recorded(folder) and read(folder).scratch == running.scratch


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Keep others from starting or ending a service in this folder; a dead holder keeps nobody.

    Where the file system has no locks on folders, as on some networks, nobody is kept out.

    Raises:
        OSError: the folder is not there, or not ours.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read(folder: Path) -> Running:
    """Return what was started in this folder.

    Raises:
        FileNotFoundError: nothing was, or it was stopped.
        LaunchError: the record is none of ours.
    """
    path = folder / RECORD
    try:
        return Running.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise LaunchError(
            f"{path} is not the record of a service that runs; choose another --folder, or remove "
            "the file if the service is gone"
        ) from error


def write(folder: Path, running: Running) -> None:
    """Write down what runs; the address of Redis may hold a password."""
    write_private(folder / RECORD, running.model_dump_json(indent=2))
    if running.redis_url is not None:
        write_private(folder / REDIS_FILE, running.redis_url)


def forget(folder: Path) -> None:
    """Delete what was written down of a service that has ended."""
    for name in (RECORD, REDIS_FILE):
        (folder / name).unlink(missing_ok=True)


def adopt(folder: Path, pid: int) -> None:
    """Count one more process in, such as the Redis started with the service."""
    with changing(folder):
        running = read(folder)
        processes = running.processes | {pid: created(pid)}
        write(folder, running.model_copy(update={"processes": processes}))


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Let signals wait until what was started is written down, or nobody could stop it."""
    heard: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: signal.signal(n, lambda number, _: heard.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if heard:
        raise KeyboardInterrupt


def created(pid: int) -> float:
    """Return when a process was created, which tells it from a later one with its id."""
    return float(psutil.Process(pid).create_time())


def _same(pid: int, at: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        is_it = abs(process.create_time() - at) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if is_it else None
