"""What a fleet keeps in its folder: a file for each finished task, and a run's folder for each.

A task is finished once its file is there, which is written after its artifact is published.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.errors import StoreUnavailable
from adapters.store import durable
from trainer.errors import ResumeError
from trainer.fleet.job import Job, Scores

RUNS: Final = "tasks"
REPORT: Final = "report.html"
_FINISHED: Final = "finished"
_LOCK: Final = "fleet.lock"


class Record(BaseModel):
    """A finished task.

    Attributes:
        asked: digest of the recipe and of where its images are.
        scores: what its run is worth.
        store: where it was published; None if it was not.
    """

    model_config = ConfigDict(frozen=True)

    asked: str
    scores: Scores
    store: str | None


def run_place(folder: Path, task: str) -> Path:
    """Return the folder of a task's run."""
    return folder / RUNS / task


def digest_of(job: Job) -> str:
    """Return what is the same for a job that asks for the same."""
    asked = f"{job.recipe.model_dump_json()}\n{job.data}"
    return sha256(asked.encode()).hexdigest()


def record_of(folder: Path, job: Job) -> Record | None:
    """Return what is kept of a task that was finished as it is asked for now, else None."""
    try:
        record = Record.model_validate_json(_file(folder, job.task).read_bytes())
    except (OSError, ValidationError):
        return None
    return record if record.asked == digest_of(job) else None


def keep(folder: Path, job: Job, scores: Scores, store: str | None) -> None:
    """Write down that a task is finished."""
    record = Record(asked=digest_of(job), scores=scores, store=store)
    file = _file(folder, job.task)
    file.parent.mkdir(parents=True, exist_ok=True)
    durable.write(file, record.model_dump_json(indent=1).encode())


def forget(folder: Path, task: str) -> None:
    """Have a task be unfinished; its run's folder stays as it is."""
    _file(folder, task).unlink(missing_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other fleets out of the folder during this block; a dead one's lock is free.

    Raises:
        ResumeError: another fleet works here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(durable.exclusive(folder / _LOCK, durable.Patience(0.0)))
        except StoreUnavailable as error:
            raise ResumeError(
                f"{folder}: another fleet works in it; wait for it, end it, or name another --out"
            ) from error
        yield


def _file(folder: Path, task: str) -> Path:
    return folder / _FINISHED / f"{task}.json"
