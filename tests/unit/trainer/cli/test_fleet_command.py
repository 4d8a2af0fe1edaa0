"""`spt fleet`, as a person types it; its pool does the jobs in this process."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.store.directory import DirectoryStore
from tests.unit.trainer.toy import BACKBONE, make_toy_folder
from trainer.__main__ import main
from trainer.experiment import materials
from trainer.fleet import local_pool
from trainer.fleet.job import Began, Event, Job
from trainer.fleet.worker import done


class Here:
    """Does jobs one after the other, here."""

    def __init__(self, *_: Any) -> None:
        self._jobs: list[Job] = []

    def add(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, timeout_s: float) -> Sequence[Event]:
        job = self._jobs.pop(0)
        told: list[Event] = [Began(job.task, "here")]
        return [*told, done(job, told.append)] if job.task != "stop" else _stop()

    def close(self) -> None:
        """Nothing runs."""


def _stop() -> Sequence[Event]:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materials, "load_backbone", lambda *_, **__: BACKBONE)
    monkeypatch.setattr(local_pool, "LocalPool", Here)
    monkeypatch.chdir(tmp_path)
    make_toy_folder(tmp_path / "toy")


def write(*tasks: str, **own: str) -> None:
    lines = [
        "[defaults]\ndata = 'toy'\nmethod = 'linear'",
        "set.optim.epochs = 2\nset.optim.warmup_epochs = 1\nset.optim.batch_size = 4",
    ]
    for task in tasks:
        lines.append(f"[tasks.{task}]\n{own.get(task, '')}")
    Path("many.toml").write_text("\n".join(lines))


def test_all_tasks_are_published_and_the_next_call_has_nothing_to_do(
    capsys: pytest.CaptureFixture[str],
):
    write("one", "two")
    assert main(["fleet", "many.toml"]) == 0
    output = capsys.readouterr().out
    assert "[2/2] two: test accuracy" in output
    assert "report runs/fleet/many/report.html" in output
    store = DirectoryStore(Path("runs/store"))
    assert sorted(store.tasks()) == ["one", "two"]
    assert main(["fleet", "many.toml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in told["tasks"]] == ["finished already"] * 2
    assert told == json.loads(Path("runs/fleet/many/report.json").read_text())


def test_a_task_that_fails_is_a_line_and_the_exit_code_is_1(capsys: pytest.CaptureFixture[str]):
    Path("empty").mkdir()
    write("one", "bad", "two", bad="data = 'empty'")
    assert main(["fleet", "many.toml", "--no-publish"]) == 1
    output = capsys.readouterr().out
    assert "bad: failed: bad: empty is empty" in output
    assert "[3/3] two: test accuracy" in output
    assert not Path("runs/store").exists()


def test_a_fleet_that_is_stopped_says_so_and_leaves_its_report(
    capsys: pytest.CaptureFixture[str],
):
    write("one", "stop")
    assert main(["fleet", "many.toml"]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    told = json.loads(Path("runs/fleet/many/report.json").read_text())
    assert [row["state"] for row in told["tasks"]] == ["finished", "waiting"]


def test_bad_lines_are_all_told_before_anything_is_trained(capsys: pytest.CaptureFixture[str]):
    write("one", "two", one="seed = -1", two="color = 1")
    assert main(["fleet", "many.toml"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("many.toml: one: seed: expected greater than or equal to 0, found -1")
    assert told[1].startswith("error: many.toml: two: color: expected one of")
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "words", [["--workers", "0"], ["--retries", "-1"], ["--sign", "k", "--no-publish"]]
)
def test_options_that_make_no_sense_are_wrong_usage(words: list[str]):
    write("one")
    with pytest.raises(SystemExit) as caught:
        main(["fleet", "many.toml", *words])
    assert caught.value.code == 2
