"""Tasks trained by several processes, one of which is killed: the bytes are those of one by one."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.cache.publishing import open_store
from tests.unit.trainer.fleet.tiny_worker import KILLED_TASK, tiny_work
from tests.unit.trainer.toy import BACKBONE, ignore, make_toy_folder, toy_recipe
from trainer.experiment import materials
from trainer.experiment.run import run
from trainer.fleet.fleet import Fleet
from trainer.fleet.job import Job
from trainer.fleet.kept import run_place
from trainer.fleet.local_pool import LocalPool
from trainer.fleet.publishing import StorePublisher

METHODS = ("linear", "full", "spt-deep")
NUM_TASKS = 4


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def show(self, standings: object) -> None:
        """Nobody looks."""


def jobs_in(folder: Path, data: Path) -> list[Job]:
    return [
        Job(
            toy_recipe(task=f"toy-{i}", seed=i, method=METHODS[i % len(METHODS)]),
            data,
            run_place(folder, f"toy-{i}"),
        )
        for i in range(NUM_TASKS)
    ]


def test_with_a_worker_killed_all_tasks_end_with_the_bytes_of_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = make_toy_folder(tmp_path / "data")
    folder, told = tmp_path / "fleet", Told()
    store = StorePublisher(open_store(tmp_path / "store", None), tmp_path / "store")
    pool = LocalPool(2, target=tiny_work)
    fleet = Fleet(folder, jobs_in(folder, data), 1, store, told)
    try:
        fleet.run(pool)
    finally:
        pool.close()
    assert {task: one.state for task, one in fleet.standings.items()} == {
        f"toy-{i}": "finished" for i in range(NUM_TASKS)
    }
    tries = {task: one.tries for task, one in fleet.standings.items()}
    assert tries == dict.fromkeys(tries, 1) | {KILLED_TASK: 2}
    assert any("was killed (SIGKILL)" in line and "tried again" in line for line in told.lines)

    monkeypatch.setattr(materials, "load_backbone", lambda *_, **__: BACKBONE)
    for job in fleet.jobs:
        alone = replace(job, folder=tmp_path / "alone" / job.task)
        artifact = run(alone.recipe, data, alone.folder, ignore).artifact
        name = f"{job.task}.safetensors"
        assert (artifact is None) is not (job.folder / name).exists()
        if artifact is not None:
            assert (job.folder / name).read_bytes() == artifact.read_bytes()
            assert store.opened.current(job.task).version == version_of(artifact.read_bytes())

    again = Fleet(folder, jobs_in(folder, data), 1, store, told)
    again.run(pool)  # it has ended: nothing is handed to it
    assert {one.state for one in again.standings.values()} == {"finished already"}
    assert told.lines[-1].startswith(f"finished already: {NUM_TASKS} of {NUM_TASKS} tasks")
