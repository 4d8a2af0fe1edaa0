"""The seam of a fleet: jobs that run somewhere, and what is told of them.

A pool decides where and in which order its jobs run. It knows no retries, stores or reports.
Everything here travels between processes, and between machines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from trainer.recipe import Recipe


@dataclass(frozen=True)
class Job:
    """One run that is to be made.

    Attributes:
        recipe: of the task.
        data: its images; None where the task's name says where they are.
        folder: of the run; one that was begun goes on.
        fresh: forget what an earlier run left in the folder.
    """

    recipe: Recipe
    data: Path | None
    folder: Path
    fresh: bool = False

    @property
    def task(self) -> str:
        """Its task, which no other job of a fleet has."""
        return self.recipe.task


class Scores(BaseModel):
    """What a finished run is worth.

    Attributes:
        title: of the score, as people name it.
        test: on the test images.
        validation: on the validation images.
        seconds: of training.
        version: of the artifact; None for a method that the service cannot serve.
        num_bytes: of the artifact.
    """

    model_config = ConfigDict(frozen=True)

    title: str
    test: float
    validation: float
    seconds: float
    version: str | None
    num_bytes: int | None


@dataclass(frozen=True)
class Began:
    """A worker has taken the job."""

    task: str
    worker: str


@dataclass(frozen=True)
class Reached:
    """The training has come so far.

    Attributes:
        task: whose.
        epochs: that are over, with the share of the one that is not.
        of: epochs in all.
        loss: now.
    """

    task: str
    epochs: float
    of: int
    loss: float


@dataclass(frozen=True)
class Said:
    """The run has something to say, in one line."""

    task: str
    line: str


@dataclass(frozen=True)
class Finished:
    """The run is over.

    Attributes:
        task: whose.
        scores: what it is worth.
        artifact: its bytes; None for a method that the service cannot serve.
    """

    task: str
    scores: Scores
    artifact: bytes | None


@dataclass(frozen=True)
class Failed:
    """The run ended without a result, or its worker did.

    Attributes:
        task: whose.
        reason: in one line.
        is_final: whether it would fail again in the same way.
    """

    task: str
    reason: str
    is_final: bool


Event = Began | Reached | Said | Finished | Failed


@runtime_checkable
class Pool(Protocol):
    """Runs jobs somewhere, and tells what happens. Each job ends with one Finished or Failed."""

    def add(self, job: Job) -> None:
        """Take a job, and begin it as soon as there is room; returns at once."""

    def wait(self, timeout_s: float) -> Sequence[Event]:
        """Return what has happened since the last call, at the latest after so many seconds."""

    def close(self) -> None:
        """End everything at once; what was running can go on later."""
