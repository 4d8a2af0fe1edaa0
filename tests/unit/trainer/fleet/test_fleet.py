"""What a fleet makes of what its pool tells: retries, failures, and what is kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.artifact.codec import version_of
from adapters.errors import StoreUnavailable
from tests.unit.trainer.toy import toy_recipe
from trainer.errors import ResumeError
from trainer.fleet.fleet import Fleet, Standing
from trainer.fleet.job import Began, Event, Failed, Finished, Job, Reached, Said, Scores
from trainer.fleet.kept import alone, run_place
from trainer.fleet.report import document_of, write_report
from trainer.fleet.terminal import Lines, standings_table

CRASH = ("worker 1 was killed (SIGKILL) during the run", False)


class Scripted:
    """A pool whose jobs fail as often as it was told, then succeed."""

    def __init__(self, failures: dict[str, list[tuple[str, bool]]] | None = None) -> None:
        self.failures = failures or {}
        self.added: list[Job] = []
        self._told: list[Event] = []

    def add(self, job: Job) -> None:
        self.added.append(job)
        task, left = job.task, self.failures.get(job.task)
        self._told += [Began(task, "1"), Reached(task, 1.0, 3, 0.5), Said(task, f"{task}: found")]
        if left:
            self._told.append(Failed(task, *left.pop(0)))
            return
        artifact = task.encode()
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / f"{task}.safetensors").write_bytes(artifact)
        scores = Scores(
            title="accuracy", test=0.9, validation=0.8, seconds=2.0,
            version=version_of(artifact), num_bytes=len(artifact),
        )  # fmt: skip
        self._told.append(Finished(task, scores, artifact))

    def wait(self, timeout_s: float) -> Sequence[Event]:
        told, self._told = self._told, []
        assert told, "a fleet waits for nothing"
        return told

    def close(self) -> None:
        """Nothing runs."""


class Shelf:
    """Takes artifacts, but those of one task."""

    store = "shelf"

    def __init__(self, refused: str = "") -> None:
        self.refused = refused
        self.taken: list[str] = []

    def publish(self, task: str, artifact: bytes) -> str:
        if task == self.refused:
            raise StoreUnavailable("store: no room")
        self.taken.append(task)
        return "published"


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def show(self, standings: Sequence[Standing]) -> None:
        assert standings


def make(folder: Path, publisher: Any = None, tasks: str = "abc", **changes: Any) -> Fleet:
    jobs = [
        Job(toy_recipe(task=task, **changes), Path("data"), run_place(folder, task))
        for task in tasks
    ]
    return Fleet(folder, jobs, 2, publisher, Told())


def states(fleet: Fleet) -> dict[str, str]:
    return {task: one.state for task, one in fleet.standings.items()}


def test_a_task_is_tried_again_and_its_failure_hurts_no_other(tmp_path: Path):
    fleet, shelf = make(tmp_path), Shelf()
    fleet.publisher = shelf
    fleet.run(Scripted({"a": [CRASH, CRASH], "b": [CRASH, CRASH, CRASH, CRASH]}))
    assert states(fleet) == {"a": "finished", "b": "failed", "c": "finished"}
    assert [one.tries for one in fleet.standings.values()] == [3, 3, 1]
    assert sorted(shelf.taken) == ["a", "c"]
    lines = fleet.audience.lines
    assert f"a: {CRASH[0]}; tried again, 2 left" in lines
    assert f"[3/3] b: failed: {CRASH[0]}" in lines


def test_what_would_fail_in_the_same_way_is_not_tried_again(tmp_path: Path):
    fleet = make(tmp_path)
    pool = Scripted({"b": [("b: data does not exist", True)]})
    fleet.run(pool)
    assert [job.task for job in pool.added] == ["a", "b", "c"]
    assert states(fleet)["b"] == "failed"


def test_finished_tasks_are_not_trained_again_unless_something_else_is_asked(tmp_path: Path):
    make(tmp_path).run(Scripted())
    again, pool = make(tmp_path), Scripted()
    again.run(pool)
    assert not pool.added
    assert set(states(again).values()) == {"finished already"}
    assert again.standings["a"].scores.test == 0.9
    other, pool = make(tmp_path, seed=5), Scripted()
    other.run(pool)
    assert len(pool.added) == 3


def test_a_finished_task_that_is_not_published_is_published_without_a_run(tmp_path: Path):
    make(tmp_path).run(Scripted())
    shelf, pool = Shelf(), Scripted()
    make(tmp_path, shelf).run(pool)
    assert (shelf.taken, pool.added) == (["a", "b", "c"], [])
    make(tmp_path, shelf).run(pool)
    assert (shelf.taken, pool.added) == (["a", "b", "c"], [])


def test_a_store_that_refuses_fails_one_task_in_a_line_and_the_next_call_publishes_it(
    tmp_path: Path,
):
    fleet = make(tmp_path, Shelf(refused="b"))
    fleet.run(Scripted())
    assert states(fleet) == {"a": "finished", "b": "failed", "c": "finished"}
    assert fleet.standings["b"].reason == "not published: store: no room"
    again, shelf = make(tmp_path, Shelf()), Shelf()
    again.publisher = shelf
    again.run(Scripted())
    assert shelf.taken == ["b"]


def test_a_fresh_task_forgets_but_its_retry_goes_on(tmp_path: Path):
    make(tmp_path, tasks="a").run(Scripted())
    (job,) = make(tmp_path, tasks="a").jobs
    pool = Scripted({"a": [CRASH]})
    fresh = Job(job.recipe, job.data, job.folder, fresh=True)
    Fleet(tmp_path, [fresh], 2, None, Told()).run(pool)
    assert [one.fresh for one in pool.added] == [True, False]


def test_two_fleets_never_share_a_folder(tmp_path: Path):
    refused = pytest.raises(ResumeError, match="another fleet works in it")
    with alone(tmp_path / "fleet"), refused, alone(tmp_path / "fleet"):
        pass
    with alone(tmp_path / "fleet"):
        pass


def test_the_report_has_every_task_escaped_and_without_scripts(tmp_path: Path):
    fleet = make(tmp_path)
    fleet.run(Scripted({"b": [("<script>no</script>", True)]}))
    standings = list(fleet.standings.values())
    (fleet.standings["a"].job.folder / "report.html").write_text("a page")
    page = write_report(tmp_path, standings).read_text()
    assert '<a href="tasks/a/report.html">a</a>' in page
    assert "90.0%" in page
    assert "<script" not in page
    assert "&lt;script&gt;no" in page
    told = document_of(tmp_path, standings)
    assert (told["finished"], told["failed"], told["unfinished"]) == (2, 1, 0)
    assert [row["state"] for row in told["tasks"]] == ["finished", "failed", "finished"]
    assert told["tasks"][1]["scores"] is None
    assert standings_table(standings).row_count == 3


def test_without_a_terminal_a_long_silence_names_what_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fleet, lines = make(tmp_path), Lines("stdout")
    one = fleet.standings["a"]
    one.state, one.reached = "running", Reached("a", 1.5, 3, 0.25)
    lines.show(list(fleet.standings.values()))
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("trainer.fleet.terminal._SILENCE_S", 0.0)
    lines.show(list(fleet.standings.values()))
    assert capsys.readouterr().out == "0 of 3 over; now: a (epoch 1.5/3 loss 0.250)\n"
