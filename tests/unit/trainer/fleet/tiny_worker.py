"""What worker processes of the tests do: as in life, on the tiny backbone; one is killed once."""

import os
import signal
from multiprocessing.connection import Connection
from typing import Any

from tests.unit.trainer.toy import BACKBONE
from trainer.experiment import materials
from trainer.fleet.job import Job, Reached
from trainer.fleet.worker import work

KILLED_TASK = "toy-2"


class _Pipe:
    """Kills this process after an epoch of one task, unless that has been done before."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def recv(self) -> Job:
        self._job: Job = self._pipe.recv()
        return self._job

    def send(self, event: Any) -> None:
        self._pipe.send(event)
        mark = self._job.folder / "killed"
        is_time = isinstance(event, Reached) and event.task == KILLED_TASK and event.epochs > 1
        if is_time and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def tiny_work(pipe: Connection, device: str | None) -> None:
    """Do jobs on the tiny backbone."""
    loads = []

    def load(*_: Any, **__: Any) -> Any:
        loads.append(1)
        assert len(loads) == 1, "a worker loads a backbone once"
        return BACKBONE

    materials.load_backbone = load
    work(_Pipe(pipe), device)  # type: ignore[arg-type]
