"""Processes of a launch: begun without a parent who must wait for them, listened to, and ended."""

import logging
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

from serving.launch.running import Running
from serving.tracing.lines import LogFormat, lines_of

_STOP_TIMEOUT_S: Final = 30

_LEAVE_BEHIND: Final = ("/bin/sh", "-c", '"$@" >&2 & echo $!', "sh")
"""Begins what follows, says its process id, and ends: so nobody of ours must wait for it."""


def leave_behind(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> int:
    """Begin a process in a session of its own, and return its id.

    Args:
        command: with its arguments.
        log: where it says what it says, after what is there.
        environment: its whole.

    Raises:
        OSError: the log cannot be written.
    """
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as said:
        left = subprocess.run(
            [*_LEAVE_BEHIND, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
            check=True,
        )
    return int(left.stdout)


def log_decisions(log_format: LogFormat) -> None:
    """Have this process say its warnings, and of the service also what was decided, in its log."""
    log = logging.StreamHandler()
    log.setFormatter(lines_of(log_format))
    logging.basicConfig(level=logging.WARNING, handlers=[log])
    logging.getLogger("serving").setLevel(logging.INFO)


def size_of(log: Path) -> int:
    """Return the bytes of a log; 0 if there is none."""
    return log.stat().st_size if log.exists() else 0


def lines_since(log: Path, begin: int = 0) -> list[str]:
    """Return the lines of a log from a byte on; none if there is no log."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace").splitlines()


def end(running: Running) -> None:
    """End all of a service's processes, and theirs."""
    ours = running.alive()
    # looked for before their parents end: an orphan cannot be found by its parent
    workers = [child for process in ours for child in process.children(recursive=True)]
    for process in ours:
        process.terminate()
    _, alive = psutil.wait_procs(ours + workers, timeout=_STOP_TIMEOUT_S)
    for process in alive:
        process.kill()
