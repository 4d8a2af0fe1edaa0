"""The fork server of a launch, which is begun, and begun again when it has ended.

Most of the time until a new process is ready goes into imports, and a forked one has them already.
Where there is no fork server, processes begin as they would without one.
"""

import logging
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from serving.health.stop_mark import StopMark
from serving.launch.launch import Launch, environment
from serving.launch.running import CONSOLE, changing, created, interrupts_held_back, read, write

SOCKET: Final = "fork-server.sock"
"""In a launch's folder: where the fork server listens."""

_LISTENS_S: Final = 30.0
_PAUSE_S: Final = 30.0
"""Between two attempts to begin another one: one that cannot import would take a core for ever."""

_log = logging.getLogger(__name__)


class ForkServerKeeper:
    """Begins another fork server for a launch when one has ended by itself.

    Args:
        launch: whose.
        preloaded: what it imports; nothing if the launch needs none.
    """

    def __init__(self, launch: Launch, preloaded: tuple[str, ...]) -> None:
        self._launch = launch
        self._preloaded = preloaded
        self._tried_at = float("-inf")

    def look(self) -> None:
        """Begin one if none runs, unless that was tried a moment ago or the service is stopping."""
        folder = self._launch.folder
        if time.monotonic() - self._tried_at < _PAUSE_S or StopMark(folder).is_stopping():
            return
        with suppress(FileNotFoundError):  # it has been stopped
            if self._preloaded and not _has_one(folder):
                self._tried_at = time.monotonic()
                with changing(folder):
                    keep_fork_server(self._launch, self._preloaded)


def keep_fork_server(launch: Launch, preloaded: tuple[str, ...]) -> None:
    """Begin a launch's fork server unless it runs, and write it down, under the folder's lock.

    One that needs none gets none. That it does not begin is logged and no error.
    """
    if not preloaded or _has_one(launch.folder):
        return
    with interrupts_held_back():
        try:
            pid = _begin(launch, preloaded)
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


def _begin(launch: Launch, preloaded: tuple[str, ...]) -> int:
    """Return the process id of a fork server, which goes on importing.

    Raises:
        OSError, subprocess.SubprocessError, ValueError: it does not listen; it has said why.
    """
    folder = launch.folder.resolve()
    command = [sys.executable, "-P", "-m", "serving.forking.server", str(folder / SOCKET)]
    with (folder / CONSOLE).open("ab") as console:
        done = subprocess.run(
            [*command, *preloaded],
            env=environment(launch, read(folder).scratch),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=console,
            timeout=_LISTENS_S,
            check=True,
        )
    return int(done.stdout)
