"""A worker: a process that takes jobs and tells of them, one after the other.

It keeps the last backbone, so jobs of the same one load it once.
"""

import os
import time
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Final

from adapters.artifact.codec import version_of
from adapters.errors import SptError
from trainer.errors import DataError, RecipeError, ResumeError
from trainer.experiment.kept_backbone import keeping_backbone
from trainer.experiment.run import Result, run
from trainer.fleet.job import Event, Failed, Finished, Job, Reached, Said, Scores
from trainer.objectives.choose import OBJECTIVES
from trainer.report.page import write_report
from trainer.training.checkpoint import Progress

_TELL_S: Final = 0.5
"""Progress is told no more often, but at the end of an epoch."""

_FINAL: Final = (DataError, RecipeError, ResumeError)


def work(pipe: Connection, device: str | None) -> None:
    """Do the jobs that come through the pipe, until nobody is at its other end.

    Args:
        pipe: takes jobs, gives events.
        device: the one GPU that this process sees; None leaves them as they are.
    """
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    _end_with_parent()
    with keeping_backbone():
        while True:
            try:
                job = pipe.recv()
                pipe.send(done(job, pipe.send))
            except (EOFError, OSError):
                return


def done(job: Job, tell: Callable[[Event], None]) -> Finished | Failed:
    """Make one run; whatever it raises becomes a line."""
    try:
        result = run(
            job.recipe,
            job.data,
            job.folder,
            _Watch(job, tell),
            fresh=job.fresh,
            tell=lambda line: tell(Said(job.task, line)),
        )
        write_report(job.folder)
        return _finished(job, result)
    except SptError as error:
        return Failed(job.task, _line(str(error)), isinstance(error, _FINAL))
    except Exception as error:  # one task's fault must not end the worker
        at = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(at.filename).name}:{at.lineno}"
        return Failed(job.task, _line(f"{type(error).__name__}: {error} ({place})"), is_final=False)


class _Watch:
    """Tells of a training's steps, but not of all."""

    def __init__(self, job: Job, tell: Callable[[Event], None]) -> None:
        self._job, self._tell = job, tell
        self._told_at = 0.0

    def __call__(self, reached: Progress, step: int, steps: int, loss: float) -> None:
        now = time.monotonic()
        if step == steps or now - self._told_at > _TELL_S:
            self._told_at = now
            epochs = reached.epochs + step / steps
            self._tell(Reached(self._job.task, epochs, self._job.recipe.optim.epochs, loss))


def _finished(job: Job, result: Result) -> Finished:
    objective, metrics = OBJECTIVES[job.recipe.target], result.metrics
    artifact = None if result.artifact is None else result.artifact.read_bytes()
    scores = Scores(
        title=objective.title,
        test=metrics[f"test_{objective.metric}"],
        validation=metrics[f"val_{objective.metric}"],
        seconds=metrics["train_seconds"],
        version=None if artifact is None else version_of(artifact),
        num_bytes=None if artifact is None else len(artifact),
    )
    return Finished(job.task, scores, artifact)


def _line(text: str) -> str:
    return " ".join(text.split())


def _end_with_parent() -> None:
    """End this process when its parent has, which may have been killed: it would train for nobody.

    Every file of a run is replaced in one step, so the run can go on.
    """
    parent = parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    Thread(target=follow, name="parent", daemon=True).start()
