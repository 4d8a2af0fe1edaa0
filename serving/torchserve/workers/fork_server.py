"""The fork server of a launch, and the program by which TorchServe reaches it.

Most of the time until a new worker is ready goes into imports, and a forked one has them already.
Where there is no fork server, workers begin as TorchServe begins them by itself.
"""

import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Final

import psutil

from serving.forking import launcher
from serving.torchserve.configure import Launch, environment
from serving.torchserve.logs import CONSOLE
from serving.torchserve.running import changing, created, interrupts_held_back, read, write
from serving.torchserve.stop_mark import StopMark

SOCKET: Final = "fork-server.sock"
"""In a launch's folder: where the fork server listens."""

PYTHON: Final = "worker-python"
"""In a launch's folder: the program that TorchServe takes for Python."""

_PRELOADED: Final = ("serving.handler", "serving.device.process", "ts.model_service_worker")
_TARGET: Final = "serving.torchserve.workers.worker:run"
_LISTENS_S: Final = 30.0
_PAUSE_S: Final = 30.0
"""Between two attempts to begin another one: one that cannot import would take a core for ever."""

_SCRIPT: Final = """\
#!/bin/sh
# What TorchServe runs as Python: its workers come from the fork server, all else is plain Python.
case "$1" in
*/model_service_worker.py) exec {python} -I -S {launcher} {socket} {target} "$@" ;;
esac
exec {python} "$@"
"""

_log = logging.getLogger(__name__)


class ForkServerKeeper:
    """Begins another fork server for a launch when one has ended by itself."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._tried_at = float("-inf")

    def look(self) -> None:
        """Begin one if none runs, unless that was tried a moment ago or the service is stopping."""
        folder = self._launch.folder
        if time.monotonic() - self._tried_at < _PAUSE_S or StopMark(folder).is_stopping():
            return
        with suppress(FileNotFoundError):  # it has been stopped
            if not _has_one(folder):
                self._tried_at = time.monotonic()
                with changing(folder):
                    keep_fork_server(self._launch)


def write_python(folder: Path) -> Path | None:
    """Write the program that TorchServe is to take for Python.

    Returns:
        None where it must take Python itself: this system has no fork servers, or no program may
        run from where the folder is.
    """
    if sys.platform != "linux":
        return None
    path = folder.resolve() / PYTHON
    words = {
        "python": sys.executable,
        "launcher": launcher.__file__,
        "socket": str(path.with_name(SOCKET)),
        "target": _TARGET,
    }
    path.write_text(_SCRIPT.format(**{name: quote(word) for name, word in words.items()}))
    path.chmod(0o700)
    return path if os.access(path, os.X_OK) else None


def keep_fork_server(launch: Launch) -> None:
    """Begin a launch's fork server unless it runs, and write it down, under the folder's lock.

    That it does not begin is logged and no error.
    """
    if _has_one(launch.folder):
        return
    with interrupts_held_back():
        try:
            pid = _begin(launch)
            running = read(launch.folder)
            processes = running.processes | {pid: created(pid)}
        except (OSError, ValueError, subprocess.SubprocessError, psutil.Error) as error:
            _log.warning("no fork server begins (%s); see %s", error, launch.folder / CONSOLE)
            return
        if StopMark(launch.folder).is_stopping():
            psutil.Process(pid).terminate()
            return
        update = {"processes": processes, "fork_server": pid}
        write(launch.folder, running.model_copy(update=update))


def forget_fork_server(folder: Path) -> None:
    """Delete what is left of one that has ended."""
    (folder / SOCKET).unlink(missing_ok=True)


def _has_one(folder: Path) -> bool:
    running = read(folder)
    return any(process.pid == running.fork_server for process in running.alive())


def _begin(launch: Launch) -> int:
    """Return the process id of a fork server, which goes on importing.

    Raises:
        OSError, subprocess.SubprocessError, ValueError: it does not listen; it has said why.
    """
    folder = launch.folder.resolve()
    command = [sys.executable, "-P", "-m", "serving.forking.server", str(folder / SOCKET)]
    with (folder / CONSOLE).open("ab") as console:
        done = subprocess.run(
            [*command, *_PRELOADED],
            env=environment(launch, read(folder).scratch),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=console,
            timeout=_LISTENS_S,
            check=True,
        )
    return int(done.stdout)
