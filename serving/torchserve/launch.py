"""TorchServe as a launch's front: begun, watched until a worker is really ready, asked, ended.

Knows nothing of tensors.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import psutil

from serving.errors import LaunchError
from serving.health.heartbeat import READY_S, age_of
from serving.health.reasons import why_old
from serving.health.stop_mark import StopMark
from serving.java.paths import make_scratch
from serving.launch.front import Begun
from serving.launch.launch import Launch
from serving.launch.running import CONSOLE, Running, created
from serving.launch.token_file import Kind, token_file
from serving.torchserve.configure import properties_of, torchserve_environment, write_configuration
from serving.torchserve.drain import drain
from serving.torchserve.logs import ServiceLog
from serving.torchserve.management import is_ready, management_url_of
from serving.torchserve.tokens import await_tokens, forget_tokens, rotate
from serving.torchserve.workers.python import worker_python, write_python

_DEATHS_ENOUGH: Final = 2
"""A worker that died loading once may have met a passing trouble; TorchServe starts another."""

_PRELOADED: Final = ("serving.handler", "serving.device.process", "ts.model_service_worker")


class TorchServe:
    """A `Front`."""

    def ports(self, launch: Launch) -> list[int]:
        """Return those of the launch."""
        return [port for port in (*launch.ports, launch.health_port) if port is not None]

    def configure(self, launch: Launch) -> None:
        """Write what TorchServe and its workers read."""
        write_configuration(launch)
        write_python(launch.folder)

    def begin(self, launch: Launch) -> Begun:
        """Start Java, which starts the workers."""
        forget_tokens(launch.folder)
        log = ServiceLog(launch.folder)
        config, python = properties_of(launch.folder), worker_python(launch.folder)
        running = spawn(launch, config, python=python)
        return Begun(running, partial(_check, launch, running, log))

    def preloaded(self, launch: Launch) -> tuple[str, ...]:
        """Return what workers import, if they can be forks."""
        return _PRELOADED if worker_python(launch.folder) is not None else ()

    def why_not_ready(self, folder: Path, running: Running) -> str | None:
        """Return why no worker answers; by TorchServe's word and the worker's own heart."""
        url = management_url_of(running)
        if not is_ready(url, token_file=running.management_token_file):
            return "no worker is ready"
        age_s = age_of(folder)
        return "its worker has not worked yet" if age_s is None else why_old(age_s, READY_S)

    def drain(self, running: Running, mark: StopMark) -> None:
        """Have all who were let in answered."""
        drain(running, mark)

    def rotate(self, folder: Path, running: Running, kind: Kind) -> Path:
        """Have TorchServe make a new token, and hand it out."""
        return rotate(folder, running, kind)

    def forget(self, folder: Path) -> None:
        """Delete TorchServe's keys, and the tokens among them."""
        forget_tokens(folder)


def spawn(
    launch: Launch,
    config: Path,
    changes: Mapping[str, str] | None = None,
    *,
    python: Path | None = None,
) -> Running:
    """Start a TorchServe, and wait for nothing.

    Args:
        launch: whose folder, ports and environment it gets.
        config: its config.properties.
        changes: of that environment.
        python: what TorchServe takes for Python; None is ours.

    Raises:
        LaunchError: it is not installed, or it ended at once.
    """
    folder = launch.folder.resolve()
    log, scratch = ServiceLog(launch.folder), make_scratch()
    command = [*_torchserve(python), "--start", "--ncs", "--ts-config", str(config)]
    with (folder / CONSOLE).open("ab") as console:
        subprocess.run(
            command,
            cwd=folder,  # where TorchServe leaves its keys
            env={**torchserve_environment(launch, scratch), **(changes or {})},
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
        front="torchserve",
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


def _check(launch: Launch, running: Running, log: ServiceLog) -> None:
    """Hand the tokens out once TorchServe has made them; raise what keeps a worker from loading.

    Args:
        launch: how it was begun.
        running: what was.
        log: from before it was.
    """
    if launch.token and not token_file(launch.folder).exists():
        await_tokens(launch.folder, partial(_check_alive, running, log))
    deaths = log.deaths()
    if len(deaths) >= _DEATHS_ENOUGH:
        raise LaunchError(f"the worker cannot load: {deaths[-1]}; see {log.path}")
    _check_alive(running, log)


def _check_alive(running: Running, log: ServiceLog) -> None:
    """Raise LaunchError, with the reason as far as Java told one, if what was started has ended."""
    if not running.alive():
        raise LaunchError(
            f"TorchServe ended before its worker was ready: {log.console_fault()}; see {log.places}"
        )
