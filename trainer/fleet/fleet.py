"""A fleet: every task is trained, tried again when it failed, published, and told of.

Decides nothing of a run, and nothing of where it is made: that is the pool's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, Protocol, runtime_checkable

from adapters.artifact.codec import short, version_of
from adapters.errors import SptError
from trainer.fleet.job import Began, Event, Failed, Finished, Job, Pool, Reached, Said, Scores
from trainer.fleet.kept import forget, keep, record_of

State = Literal["waiting", "running", "finished", "finished already", "failed"]

_TICK_S: Final = 1.0


@dataclass
class Standing:
    """How a task stands.

    Attributes:
        job: what is to be made.
        state: now.
        tries: runs that were begun by this call.
        reason: of the last failure, in one line; empty if there was none.
        scores: of the finished run.
        reached: how far a running one is.
    """

    job: Job
    state: State = "waiting"
    tries: int = 0
    reason: str = ""
    scores: Scores | None = None
    reached: Reached | None = None

    @property
    def is_finished(self) -> bool:
        """Whether its artifact is there, and published if that was asked for."""
        return self.state in ("finished", "finished already")


@runtime_checkable
class Publisher(Protocol):
    """Takes artifacts."""

    @property
    def store(self) -> str:
        """Where to, as it is written down."""

    def publish(self, task: str, artifact: bytes) -> str:
        """Publish; return what is to be said of it, in one line."""


@runtime_checkable
class Audience(Protocol):
    """Who watches a fleet."""

    def say(self, line: str) -> None:
        """Take one line that is to be kept."""

    def show(self, standings: Sequence[Standing]) -> None:
        """Take how all tasks stand; called at least once a second."""


@dataclass
class Fleet:
    """What is to be done.

    Attributes:
        folder: of the fleet, which is alone in it.
        jobs: one for each task.
        retries: how often a task is tried again, 0 or more.
        publisher: takes artifacts; None for none.
        audience: who watches.
        standings: by task, in the order of the jobs.
    """

    folder: Path
    jobs: Sequence[Job]
    retries: int
    publisher: Publisher | None
    audience: Audience
    standings: dict[str, Standing] = field(init=False)

    def __post_init__(self) -> None:
        self.standings = {job.task: Standing(job) for job in self.jobs}

    def run(self, pool: Pool) -> None:
        """Work until each task is finished or has failed; one that is interrupted can go on."""
        for standing in self.standings.values():
            if not self._is_over(standing):
                pool.add(standing.job)
        if known := sum(one.state == "finished already" for one in self.standings.values()):
            self._say(f"finished already: {known} of {len(self.jobs)} tasks; --fresh starts over")
        while any(one.state in ("waiting", "running") for one in self.standings.values()):
            self.audience.show(list(self.standings.values()))
            for event in pool.wait(_TICK_S):
                self._take(event, pool)
        self.audience.show(list(self.standings.values()))

    def _is_over(self, standing: Standing) -> bool:
        """Find a task that an earlier call finished; publish it if that is all that is left."""
        job = standing.job
        if job.fresh:
            forget(self.folder, job.task)
        record = record_of(self.folder, job)
        if record is None:
            return False
        standing.scores = record.scores
        if self._is_published(record.store, record.scores.version):
            standing.state = "finished already"
            return True
        artifact = job.folder / f"{job.task}.safetensors"
        data = artifact.read_bytes() if artifact.is_file() else b""
        if version_of(data) != record.scores.version:
            return False
        self._end(standing, record.scores, data)
        return True

    def _is_published(self, store: str | None, version: str | None) -> bool:
        return self.publisher is None or version is None or store == self.publisher.store

    def _take(self, event: Event, pool: Pool) -> None:
        standing = self.standings[event.task]
        match event:
            case Began():
                standing.state, standing.reached = "running", None
                standing.tries += 1
            case Reached():
                standing.reached = event
            case Said():
                self._say(event.line)
            case Finished():
                self._end(standing, event.scores, event.artifact)
            case Failed():
                self._fail(standing, event, pool)

    def _end(self, standing: Standing, scores: Scores, artifact: bytes | None) -> None:
        """Publish what a run left, and write down that the task is finished."""
        job, said, store = standing.job, "not published", None
        if artifact is not None and self.publisher is not None:
            try:
                said = self.publisher.publish(job.task, artifact)
            except SptError as error:
                self._give_up(standing, f"not published: {' '.join(str(error).split())}")
                return
            store = self.publisher.store
        keep(self.folder, job, scores, store)
        standing.state, standing.scores, standing.reason = "finished", scores, ""
        what = "no artifact" if scores.version is None else f"version {short(scores.version)}"
        self._say(
            f"{self._count()} {job.task}: test {scores.title} {scores.test:.4f}, {what} {said}"
        )

    def _fail(self, standing: Standing, failed: Failed, pool: Pool) -> None:
        left = self.retries + 1 - standing.tries
        if failed.is_final or left <= 0:
            self._give_up(standing, failed.reason)
            return
        standing.state, standing.reason = "waiting", failed.reason
        if standing.reached is not None:  # an earlier run is forgotten, and this one has begun
            standing.job = replace(standing.job, fresh=False)
        self._say(f"{standing.job.task}: {failed.reason}; tried again, {left} left")
        pool.add(standing.job)

    def _give_up(self, standing: Standing, reason: str) -> None:
        standing.state, standing.reason = "failed", reason
        self._say(f"{self._count()} {standing.job.task}: failed: {reason}")

    def _count(self) -> str:
        over = sum(one.is_finished or one.state == "failed" for one in self.standings.values())
        return f"[{over}/{len(self.standings)}]"

    def _say(self, line: str) -> None:
        self.audience.say(line)
