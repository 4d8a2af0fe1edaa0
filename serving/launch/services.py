"""Services are started, started again when they have ended by themselves, and stopped.

Ends only what it started. Knows nothing of how a front works, and nothing of tensors.
"""

import logging
import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from serving.errors import LaunchError
from serving.health import heartbeat
from serving.health.reasons import STOPPING
from serving.health.stop_mark import StopMark
from serving.launch import processes
from serving.launch.device import begin_device, check_device, has_device
from serving.launch.folder import explained
from serving.launch.fork_server import forget_fork_server, keep_fork_server
from serving.launch.front import Begun, Front
from serving.launch.keepers import Keepers
from serving.launch.launch import FrontName, Launch
from serving.launch.running import (
    LOGS,
    METRICS,
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
from serving.launch.supervise import Care
from serving.launch.token_file import Kind

_READY_TIMEOUT_S: Final = 600
_LOOK_S: Final = 0.2

_log = logging.getLogger(__name__)


class Services:
    """Starts and ends services.

    Args:
        fronts: that take their callers, by name.
    """

    def __init__(self, fronts: Mapping[FrontName, Front]) -> None:
        self._fronts = fronts

    def start(self, launch: Launch) -> Running:
        """Start a service and wait until it is ready.

        Raises:
            LaunchError: already running, no Java for TorchServe, no room on the disk, a process
                cannot load, or it did not become ready in ten minutes; says why, as far as the
                logs tell.
        """
        if is_recorded(launch.folder) and read(launch.folder).alive():
            record = launch.folder / RECORD
            raise LaunchError(
                f"{record} says that a service runs already; stop it first: make stop"
            )
        _refuse_taken(self._fronts[launch.front].ports(launch))
        try:
            begun = self.begin(launch)
            self._wait_until_ready(launch, begun)
        except BaseException:
            self.stop(launch.folder, draining=False)
            raise
        return begun.running

    def start_again(self, launch: Launch, before: Running) -> Running:
        """Start a front again that has ended by itself, with what else runs left alone.

        Args:
            launch: how.
            before: what has ended.

        Returns:
            What was begun; one that does not become ready is ended again, and its reason logged.

        Raises:
            LaunchError: nothing was begun: as `begin`.
        """
        begun = self.begin(launch, before)
        try:
            self._wait_until_ready(launch, begun)
        except BaseException as error:
            processes.end(begun.running)
            if not isinstance(error, LaunchError):
                raise
            _log.error("it did not start: %s", error)
        return begun.running

    def begin(self, launch: Launch, before: Running | None = None) -> Begun:
        """Configure and start a service, while nobody else starts or ends one there.

        Args:
            launch: how.
            before: what it follows; what else runs for that is written down with it.

        Raises:
            LaunchError: the folder cannot be written, the front ended at once, or `before` was
                stopped.
        """
        front = self._fronts[launch.front]
        with explained(launch.folder):
            launch.folder.mkdir(parents=True, exist_ok=True)
            with changing(launch.folder):
                if before is None:
                    _forget_metrics(launch.folder)
                beside = None if before is None else _left_of(launch.folder, before)
                front.configure(launch)
                begun = _begin_front(launch, front, beside)
                keep_fork_server(launch, front.preloaded(launch))
                if launch.front_workers and not has_device(launch.folder):
                    begin_device(launch)
                return begun

    def stop(self, folder: Path, *, draining: bool = True) -> bool:
        """End what `start` started in this folder; return whether anything was recorded there.

        Args:
            folder: of the launch.
            draining: whether those who have asked get their answers first.
        """
        if not folder.is_dir():
            return False
        with changing(folder):  # one that is being started is waited for, and then ended
            if not is_recorded(folder):
                return False
            running = read(folder)
            _stop(folder, running, self._fronts[running.front], draining=draining)
            return True

    def why_not_ready(self, folder: Path) -> str | None:
        """Return why the service of a folder should get no callers; None if it should."""
        if not is_recorded(folder):
            return f"nothing was started in {folder}"
        running = read(folder)
        if StopMark(folder).is_stopping():
            return STOPPING
        return self._fronts[running.front].why_not_ready(folder, running)

    def rotate(self, folder: Path, kind: Kind = "inference") -> Path:
        """Replace a token; callers that read the returned file again are let in at once.

        Args:
            folder: of the launch.
            kind: whose token.

        Raises:
            LaunchError: there is no such service or token, or no new one can be made.
        """
        if not is_recorded(folder):
            raise LaunchError(f"nothing was started in {folder}; name its folder with --folder")
        running = read(folder)
        if running.token_file is None:
            raise LaunchError(
                f"the service in {folder} asks for no token; start it without --no-token"
            )
        return self._fronts[running.front].rotate(folder, running, kind)

    def care_of(self, launch: Launch) -> Care:
        """Return what whoever stays with a service does for it."""
        keepers = Keepers(launch, self._fronts[launch.front].preloaded(launch))
        return Care(
            folder=launch.folder,
            again=lambda before: self.start_again(launch, before),
            look=keepers.look,
            stop=lambda draining: self.stop(launch.folder, draining=draining),
        )

    def _wait_until_ready(self, launch: Launch, begun: Begun) -> None:
        front, folder = self._fronts[launch.front], launch.folder
        give_up_at = time.monotonic() + _READY_TIMEOUT_S
        while (reason := front.why_not_ready(folder, begun.running)) is not None:
            begun.check()
            check_device(folder)
            if time.monotonic() > give_up_at:
                raise LaunchError(
                    f"it was not ready after {_READY_TIMEOUT_S} s: {reason}; see {folder / LOGS}"
                )
            time.sleep(_LOOK_S)


def _begin_front(launch: Launch, front: Front, beside: Running | None) -> Begun:
    """Start a front, and write down what `stop` will end."""
    StopMark(launch.folder).begin()
    heartbeat.forget(launch.folder)
    with interrupts_held_back():
        begun = front.begin(launch)
        running = begun.running
        try:
            write(launch.folder, running if beside is None else running.beside(beside))
        except BaseException:  # nobody could stop it
            processes.end(running)
            shutil.rmtree(running.scratch, ignore_errors=True)
            raise
    return begun


def _left_of(folder: Path, before: Running) -> Running:
    """Return what else runs for a service whose front has ended, which leaves its scratch behind.

    Raises:
        LaunchError: somebody has stopped it, or begun another one.
    """
    if not is_recorded_as(folder, before):
        raise LaunchError(f"{folder}: the service was stopped meanwhile")
    shutil.rmtree(before.scratch, ignore_errors=True)
    left = read(folder)
    others = {process.pid: created(process.pid) for process in left.alive()}
    return left.model_copy(update={"processes": others})


def _stop(folder: Path, running: Running, front: Front, *, draining: bool) -> None:
    mark = StopMark(folder)
    try:
        mark.stop(refuse=False)  # first: balancers must turn away before the port refuses
        if draining and running.drain_s > 0:
            front.drain(running, mark)
    except OSError as error:
        _log.warning("the service is not drained (%s)", error)
    finally:
        processes.end(running)
        forget_fork_server(folder)
        shutil.rmtree(running.scratch, ignore_errors=True)
        front.forget(folder)
        heartbeat.forget(folder)
        _forget_metrics(folder)
        forget(folder)  # after the processes: a stop that is cut off before can be repeated
        mark.clear()  # after the record, or `supervise` would take this end for a crash


def _forget_metrics(folder: Path) -> None:
    """Delete what the processes of a launch that has ended have counted."""
    shutil.rmtree(folder / METRICS, ignore_errors=True)


def _refuse_taken(ports: list[int]) -> None:
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise LaunchError(
                    f"port {port} is taken by another process; stop it or choose other ports"
                )
