"""The device process of a launch with fronts: begun as a fork, and begun again when it has ended.

Knows how it is started, and nothing of what it does.
"""

import logging
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from serving.errors import LaunchError
from serving.forking import launcher
from serving.health.stop_mark import StopMark
from serving.launch.fork_server import SOCKET as FORK_SERVER
from serving.launch.launch import Launch, environment
from serving.launch.processes import leave_behind, lines_since
from serving.launch.running import LOGS, changing, created, interrupts_held_back, read, write

LOG: Final = "device.log"
"""Among a launch's logs: what its device process says."""

_MODULE: Final = "serving.device.process"
_PAUSES_S: Final = (0.0, 1.0, 5.0, 30.0)
"""Before one is begun again that had not run for `_SOUND_S`; the last one stays."""

_SOUND_S: Final = 60.0

_log = logging.getLogger(__name__)


class DeviceKeeper:
    """Begins another device process for a launch when one has ended."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._begun_at = float("-inf")
        self._deaths = 0

    def look(self) -> None:
        """Begin one if none runs, in time, unless the service is stopping or has no fronts."""
        folder = self._launch.folder
        if not self._launch.front_workers or StopMark(folder).is_stopping():
            return
        with suppress(FileNotFoundError):  # it has been stopped
            if not has_device(folder) and self._is_time():
                _log.error("the device process has ended; another begins; see %s", log_of(folder))
                self._begun_at = time.monotonic()
                with changing(folder):
                    if not StopMark(folder).is_stopping():
                        begin_device(self._launch)

    def _is_time(self) -> bool:
        age_s = time.monotonic() - self._begun_at
        if age_s > _SOUND_S:
            self._deaths = 0
        if age_s < _PAUSES_S[min(self._deaths, len(_PAUSES_S) - 1)]:
            return False
        self._deaths += 1
        return True


def begin_device(launch: Launch) -> None:
    """Begin a launch's device process, and write it down, under the folder's lock."""
    folder = launch.folder.resolve()
    program = ["-m", _MODULE, str(folder)]
    fork = [launcher.__file__, str(folder / FORK_SERVER), f"{_MODULE}:run"]
    command = [sys.executable, "-I", "-S", *fork, *program]
    with interrupts_held_back():
        running = read(folder)
        pid = leave_behind(command, log_of(folder), environment(launch, running.scratch))
        update = {"processes": running.processes | {pid: created(pid)}, "device": pid}
        write(folder, running.model_copy(update=update))


def has_device(folder: Path) -> bool:
    """Return whether a launch's device process runs."""
    running = read(folder)
    return any(process.pid == running.device for process in running.alive())


def check_device(folder: Path) -> None:
    """Raise LaunchError, with its last words, if a launch's device process has ended."""
    if read(folder).device is None or has_device(folder):
        return
    path = log_of(folder)
    lines = [line for line in lines_since(path) if line.strip()]
    said = lines[-1] if lines else "it said nothing"
    raise LaunchError(f"the process that owns the device cannot load: {said}; see {path}")


def log_of(folder: Path) -> Path:
    """Return where a launch's device process says what it says."""
    return folder / LOGS / LOG
