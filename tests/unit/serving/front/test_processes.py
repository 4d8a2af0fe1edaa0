"""Processes of the front end with the one that began them, and at once while they load."""

import os
import signal
import subprocess
import sys
import time
from threading import Event

import psutil
from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors.multiprocess import Process

from serving.front.processes import _made, _Processes
from tests.fakes.waiting import wait_until

PARENT = """
import multiprocessing, sys, time
from tests.unit.serving.front.test_processes import child
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=child)
    process.start()
    print(process.pid, flush=True)
    process.join()
"""


def child() -> None:
    """Make an app whose process would then serve for ten minutes."""
    _made(signal.pause)


def test_a_process_whose_parent_was_killed_does_not_keep_the_port() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        process = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    wait_until("the child has ended", lambda: not process.is_running())


def test_who_is_told_to_end_while_it_loads_ends_at_once_and_later_as_uvicorn_wants() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        assert _made(lambda: signal.getsignal(signal.SIGTERM)) == signal.SIG_DFL
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


class Ended:
    """A process that ends just after somebody has looked whether it runs."""

    pid, exitcode = 1, STARTUP_FAILURE

    def is_alive(self) -> bool:
        return True

    def kill(self) -> None:
        """It has ended."""

    def join(self) -> None:
        """It has ended."""


def watched(*processes: object) -> _Processes:
    """Return them as their parent has them; a real one would take this process' signals."""
    watching = object.__new__(_Processes)
    watching.config = Config("no:app", timeout_worker_healthcheck=60)
    watching.processes, watching.should_exit = list(processes), Event()
    watching._stand_in, watching._answering = StandInNoted(), set()
    watching._has_answered = False
    return watching


class StandInNoted:
    """Notes whether it answers."""

    answers = False

    def begin(self) -> None:
        self.answers = True

    def end(self) -> None:
        self.answers = False


def test_a_process_that_ends_while_it_is_asked_for_a_sign_of_life_is_not_waited_for() -> None:
    process = Process(Config("no:app"), [])
    process.process = Ended()
    processes = watched(process)
    began_at = time.monotonic()
    processes.keep_subprocess_alive()
    assert time.monotonic() - began_at < 30
    assert processes.should_exit.is_set(), "uvicorn has met its end"
    process.parent_conn.close()


class Loading:
    """A process that runs, and answers callers once it has loaded."""

    def __init__(self, pid: int) -> None:
        self.pid, self.process, self.child_conn = pid, self, self
        self.runs, self.has_loaded = True, False

    def is_alive(self, timeout: float = 0) -> bool:
        return self.runs

    def is_ready(self, timeout: float) -> bool:
        return self.runs and self.has_loaded

    def close(self) -> None:
        """Nothing is open."""


def test_somebody_answers_while_no_process_can() -> None:
    first, second = Loading(1), Loading(2)
    processes = watched(first, second)

    def look() -> bool:
        processes.keep_subprocess_alive()
        return processes._stand_in.answers

    assert not look(), "both are loading, and nobody was ever answered"
    second.has_loaded = True
    assert not look()
    first.has_loaded, second.has_loaded = True, False  # another one, which loads
    processes.processes[1] = Loading(3)
    assert not look(), "the other one answers"
    processes.processes[0] = Loading(4)
    assert look(), "the one that answered has ended"
