"""The pool of one machine: worker processes, begun when there is a job for them.

A worker whose last job had the same backbone gets a job first.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final

from trainer.experiment.materials import backbone_key
from trainer.fleet.job import Began, Event, Failed, Finished, Job
from trainer.fleet.worker import work

_END_S: Final = 5.0
"""How long a worker that was told to end is waited for."""

Work = Callable[[Connection, str | None], None]


@dataclass
class _Worker:
    name: str
    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    backbone: Hashable = None


class LocalPool:
    """Processes of this machine.

    Args:
        size: how many work at once, 1 or more.
        devices: GPUs, as CUDA_VISIBLE_DEVICES names them, which workers take in turn; none for
            the CPU.
        target: what a worker does.
    """

    def __init__(self, size: int, devices: Sequence[str] = (), target: Work = work) -> None:
        self._size, self._devices, self._target = size, devices, target
        self._workers: list[_Worker] = []
        self._free_places = list(range(1, size + 1))
        self._waiting: list[Job] = []
        self._told: list[Event] = []

    @property
    def process_ids(self) -> dict[str, int]:
        """The process of each task that is being trained."""
        busy = [one for one in self._workers if one.job is not None]
        return {one.job.task: one.process.pid for one in busy if one.job and one.process.pid}

    def add(self, job: Job) -> None:
        """Take a job, and begin it as soon as there is room; returns at once."""
        self._waiting.append(job)

    def wait(self, timeout_s: float) -> Sequence[Event]:
        """Return what has happened since the last call, at the latest after so many seconds."""
        self._hand_out()
        if not self._told:
            ends = [end for one in self._workers for end in (one.pipe, one.process.sentinel)]
            wait(ends, timeout_s)
            for worker in list(self._workers):
                self._listen(worker)
        told, self._told = self._told, []
        return told

    def close(self) -> None:
        """End every worker at once; runs can go on later, from their last finished epoch."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_END_S)
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def _hand_out(self) -> None:
        while self._waiting:
            idle = [one for one in self._workers if one.job is None]
            if not idle and len(self._workers) == self._size:
                return
            worker, job = self._match(idle) if idle else (self._begin(), self._waiting[0])
            self._waiting.remove(job)
            worker.job, worker.backbone = job, backbone_key(job.recipe)
            try:
                worker.pipe.send(job)
            except OSError:  # it is dead, which `_listen` will find
                continue
            self._told.append(Began(job.task, worker.name))

    def _match(self, idle: Sequence[_Worker]) -> tuple[_Worker, Job]:
        pairs = [(worker, job) for worker in idle for job in self._waiting]
        same = (pair for pair in pairs if pair[0].backbone == backbone_key(pair[1].recipe))
        return next(same, pairs[0])

    def _begin(self) -> _Worker:
        place = self._free_places.pop(0)
        device = self._devices[(place - 1) % len(self._devices)] if self._devices else None
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([work.__module__])  # torch is imported once for all
        process = context.Process(target=self._target, args=(theirs, device), name=f"fleet-{place}")
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # they share cores
        # Ctrl-C reaches all processes of a terminal; it is ours to end them
        resource_tracker.ensure_running()  # which would unblock it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        theirs.close()
        worker = _Worker(str(place), process, ours)
        self._workers.append(worker)
        return worker

    def _listen(self, worker: _Worker) -> None:
        is_dead = not worker.process.is_alive()
        try:
            while worker.pipe.poll():
                event = worker.pipe.recv()
                self._told.append(event)
                if isinstance(event, Finished | Failed):
                    worker.job = None
        except (EOFError, OSError):
            is_dead = True
        if is_dead:
            self._bury(worker)

    def _bury(self, worker: _Worker) -> None:
        """Tell of a dead worker's job; another one takes its place when it is needed."""
        worker.process.join(_END_S)
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        self._free_places.append(int(worker.name))
        if worker.job is not None:
            reason = f"worker {worker.name} {_ended(worker.process.exitcode)} during the run"
            self._told.append(Failed(worker.job.task, reason, is_final=False))


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended with exit code {code}"
