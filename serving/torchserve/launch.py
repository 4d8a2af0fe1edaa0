"""Start and stop TorchServe, and Redis with it, as our own processes.

Starts `torchserve --start`, waits until a worker is really ready, and ends only what it
started. Knows nothing of tensors.
"""

import logging
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

from serving.errors import LaunchError
from serving.health import heartbeat
from serving.java.paths import make_scratch
from serving.torchserve.configure import Launch, environment, write_configuration
from serving.torchserve.drain import drain
from serving.torchserve.logs import CONSOLE, ServiceLog
from serving.torchserve.management import is_ready
from serving.torchserve.running import (
    RECORD,
    Running,
    changing,
    created,
    forget,
    interrupts_held_back,
    is_recorded,
    is_recorded_as,
    read,
    write,
)
from serving.torchserve.stop_mark import StopMark
from serving.torchserve.tokens import await_tokens, forget_tokens, token_file
from serving.torchserve.workers.device import begin_device, check_device, has_device
from serving.torchserve.workers.fork_server import (
    forget_fork_server,
    keep_fork_server,
    write_python,
)

_READY_TIMEOUT_S = 600
_STOP_TIMEOUT_S = 30
_DEATHS_ENOUGH = 2
"""A worker that died loading once may have met a passing trouble; TorchServe starts another."""

_log = logging.getLogger(__name__)


def start(launch: Launch) -> Running:
    """Start TorchServe and wait until a worker is ready.

    Raises:
        LaunchError: already running, no Java, no room on the disk, the worker cannot load, or
            did not become ready in ten minutes; says why, as far as the log tells.
    """
    if is_recorded(launch.folder) and read(launch.folder).alive():
        record = launch.folder / RECORD
        raise LaunchError(f"{record} says that a service runs already; stop it first: make stop")
    _refuse_taken_ports(launch)
    log = ServiceLog(launch.folder)
    try:
        running = begin(launch)
        _wait_until_ready(launch, running, log)
    except BaseException:
        stop(launch.folder, draining=False)
        raise
    return running


def start_again(launch: Launch, before: Running) -> Running:
    """Start TorchServe again where Java has ended by itself, with what else runs for it left alone.

    Args:
        launch: how.
        before: what has ended.

    Returns:
        What was begun; one that does not become ready is ended again, and its reason logged.

    Raises:
        LaunchError: nothing was begun: as `begin`.
    """
    log = ServiceLog(launch.folder)
    running = begin(launch, before)
    try:
        _wait_until_ready(launch, running, log)
    except BaseException as error:
        _end(running)
        if not isinstance(error, LaunchError):
            raise
        _log.error("it did not start: %s", error)
    return running


def begin(launch: Launch, before: Running | None = None) -> Running:
    """Configure and start a TorchServe, while nobody else starts or ends one there.

    Args:
        launch: how.
        before: what it follows; what else runs for that is written down with it.

    Raises:
        LaunchError: the folder cannot be written, Java ended at once, or `before` was stopped.
    """
    with _explained(launch.folder):
        launch.folder.mkdir(parents=True, exist_ok=True)
        with changing(launch.folder):
            beside = None if before is None else _left_of(launch.folder, before)
            config, python = write_configuration(launch), write_python(launch.folder)
            running = spawn(launch, config, beside=beside, python=python)
            if python is not None:
                keep_fork_server(launch)
            if launch.front_workers and not has_device(launch.folder):
                begin_device(launch)
            return running


def _left_of(folder: Path, before: Running) -> Running:
    """Return what else runs for a service whose Java has ended, which leaves its scratch behind.

    Raises:
        LaunchError: somebody has stopped it, or begun another one.
    """
    if not is_recorded_as(folder, before):
        raise LaunchError(f"{folder}: the service was stopped meanwhile")
    shutil.rmtree(before.scratch, ignore_errors=True)
    left = read(folder)
    others = {process.pid: created(process.pid) for process in left.alive()}
    return left.model_copy(update={"processes": others})


def spawn(
    launch: Launch,
    config: Path,
    changes: Mapping[str, str] | None = None,
    *,
    beside: Running | None = None,
    python: Path | None = None,
) -> Running:
    """Start a TorchServe, wait for nothing, and write down what `stop` will end.

    Args:
        launch: whose folder, ports and environment it gets.
        config: its config.properties.
        changes: of that environment.
        beside: what else `stop` ends.
        python: what TorchServe takes for Python; None is ours.
    """
    StopMark(launch.folder).begin()
    heartbeat.forget(launch.folder)
    forget_tokens(launch.folder)
    with interrupts_held_back():
        running = _spawn(launch, config, changes or {}, python)
        try:
            write(launch.folder, running if beside is None else running.beside(beside))
        except BaseException:  # nobody could stop it
            _end(running)
            shutil.rmtree(running.scratch, ignore_errors=True)
            raise
    return running


def stop(folder: Path, *, draining: bool = True) -> bool:
    """End what `start` started in this folder; return whether anything was recorded there.

    Args:
        folder: of the launch.
        draining: whether those who have asked get their answers first.
    """
    if not folder.is_dir():
        return False
    with changing(folder):  # one that is being started is waited for, and then ended
        return _stop(folder, draining=draining) if is_recorded(folder) else False


def _stop(folder: Path, *, draining: bool) -> bool:
    running, mark = read(folder), StopMark(folder)
    try:
        mark.stop(refuse=False)  # first: balancers must turn away before the port refuses
        if draining and running.drain_s > 0:
            drain(running, mark)
    except OSError as error:
        _log.warning("the service is not drained (%s)", error)
    finally:
        _end(running)
        forget_fork_server(folder)
        shutil.rmtree(running.scratch, ignore_errors=True)
        forget_tokens(folder)
        heartbeat.forget(folder)
        forget(folder)  # after the processes: a stop that is cut off before can be repeated
        mark.clear()  # after the record, or `supervise` would take this end for a crash
    return True


def check_folder(folder: Path) -> None:
    """Make a launch's folder where it is missing, and write to it, before anything is started.

    Raises:
        LaunchError: that cannot be; with the reason.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Say in our words what the file system refused."""
    try:
        yield
    except OSError as error:
        raise LaunchError(
            f"{error.filename or folder}: {_reason(error)}; the launch's folder must be writable "
            "and its disk have room: make some, or choose another --folder"
        ) from error


def _reason(error: OSError) -> str:
    """Return what the file system said; of many files that could not be copied, of the first."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2])
    return error.strerror or str(error)


def _spawn(
    launch: Launch, config: Path, changes: Mapping[str, str], python: Path | None
) -> Running:
    folder = launch.folder.resolve()
    log, scratch = ServiceLog(launch.folder), make_scratch()
    command = [*_torchserve(python), "--start", "--ncs", "--ts-config", str(config)]
    with (folder / CONSOLE).open("ab") as console:
        subprocess.run(
            command,
            cwd=folder,  # where TorchServe leaves its keys
            env={**environment(launch, scratch), **changes},
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
        )
    try:
        pid = int((scratch / ".model_server.pid").read_text(encoding="utf-8"))
        started_at = created(pid)
    except (OSError, ValueError, psutil.NoSuchProcess) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise LaunchError(f"TorchServe did not start: {log.console_fault()}") from error
    return Running(
        url=f"http://127.0.0.1:{launch.ports[0]}",
        management_url=f"http://127.0.0.1:{launch.ports[1]}",
        processes={pid: started_at},
        scratch=scratch,
        redis_url=launch.redis_url,
        token_file=token_file(folder) if launch.token else None,
        management_token_file=token_file(folder, "management") if launch.token else None,
        drain_s=launch.drain_s,
    )


def _torchserve(python: Path | None) -> list[str]:
    """Return TorchServe's command, which lies next to our Python.

    Args:
        python: what it is to take for Python; None is ours.

    Raises:
        LaunchError: it is not installed.
    """
    program = Path(sys.executable).parent / "torchserve"
    if not program.exists():
        raise LaunchError(f"{program} is not there: install the extra `serve` of this package")
    if python is None:
        return [str(program)]
    return [sys.executable, "-P", "-m", "serving.torchserve.workers.front", str(python)]


def _end(running: Running) -> None:
    ours = running.alive()
    # looked for before their parents end: an orphan cannot be found by its parent
    workers = [child for process in ours for child in process.children(recursive=True)]
    for process in ours:
        process.terminate()
    _, alive = psutil.wait_procs(ours + workers, timeout=_STOP_TIMEOUT_S)
    for process in alive:
        process.kill()


def _refuse_taken_ports(launch: Launch) -> None:
    for port in (*launch.ports, launch.health_port):
        if port is None:
            continue
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise LaunchError(
                    f"port {port} is taken by another process; stop it or choose other ports"
                )


def _check_alive(running: Running, log: ServiceLog) -> None:
    """Raise LaunchError, with the reason as far as Java told one, if what was started has ended."""
    if not running.alive():
        raise LaunchError(
            f"TorchServe ended before its worker was ready: {log.console_fault()}; see {log.places}"
        )


def _wait_until_ready(launch: Launch, running: Running, log: ServiceLog) -> None:
    """Wait for a worker, and for the tokens; `log` is from before the service began."""
    if launch.token:
        await_tokens(launch.folder, partial(_check_alive, running, log))
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while not is_ready(running.management_url, token_file=running.management_token_file):
        deaths = log.deaths()
        if len(deaths) >= _DEATHS_ENOUGH:
            raise LaunchError(f"the worker cannot load: {deaths[-1]}; see {log.path}")
        _check_alive(running, log)
        check_device(launch.folder)
        if time.monotonic() > deadline:
            raise LaunchError(f"no worker was ready after {_READY_TIMEOUT_S} s; see {log.places}")
        time.sleep(0.2)
