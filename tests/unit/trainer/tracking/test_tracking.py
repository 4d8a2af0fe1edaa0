"""Services hear of a run as it is: its beginning, each epoch, its end; and a resumed one goes on.

The packages are not installed; fakes take the calls that their documentation names.
"""

import json
import logging
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import ignore, make_toy_folder, toy_recipe
from trainer.errors import RecipeError, TrainingError
from trainer.experiment import materials as materials_module
from trainer.experiment import run as run_module
from trainer.experiment.run import run
from trainer.recipe import Recipe
from trainer.tracking.tracker import tracking_of
from trainer.training.checkpoint import Progress

RECIPE = toy_recipe(method="linear", report={"wandb": "pets", "mlflow": "cats"})
Calls = list[tuple[Any, ...]]


class FakeWandb(ModuleType):
    def __init__(self, calls: Calls) -> None:
        super().__init__("wandb")
        self._calls = calls

    def init(self, **asked: Any) -> SimpleNamespace:
        self._calls.append(("init", asked))
        return SimpleNamespace(
            id=asked["id"] or "w1",
            log=lambda values, step: self._calls.append(("log", values, step)),
            summary=SimpleNamespace(update=lambda found: self._calls.append(("summary", found))),
            finish=lambda exit_code: self._calls.append(("finish", exit_code)),
        )


class FakeMlflow(ModuleType):
    def __init__(self, calls: Calls) -> None:
        super().__init__("mlflow")
        self._calls = calls

    def start_run(self, run_id: str | None, run_name: str | None) -> SimpleNamespace:
        self._calls.append(("start_run", run_id, run_name))
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id or "m1"))

    def __getattr__(self, name: str) -> Any:
        if name not in {"set_experiment", "log_params", "log_metrics", "end_run"}:
            raise AttributeError(name)
        return lambda *args, **more: self._calls.append((name, *args, more))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> tuple[Calls, Calls]:
    wandb, mlflow = Calls(), Calls()
    monkeypatch.setitem(sys.modules, "wandb", FakeWandb(wandb))
    monkeypatch.setitem(sys.modules, "mlflow", FakeMlflow(mlflow))
    monkeypatch.setattr(materials_module, "load_backbone", lambda *_, **__: tiny_backbone())
    return wandb, mlflow


def train(tmp_path: Path, recipe: Recipe = RECIPE, **options: Any) -> dict[str, float]:
    data = tmp_path / "toy"
    if not data.exists():
        make_toy_folder(data)
    return run(recipe, data, tmp_path / "run", ignore, **options).metrics


def test_a_run_is_told_from_its_recipe_to_its_scores(tmp_path: Path, told: tuple[Calls, Calls]):
    metrics = train(tmp_path)
    wandb, mlflow = told
    assert [call[0] for call in wandb] == ["init", "log", "log", "log", "summary", "finish"]
    asked = wandb[0][1]
    assert (asked["project"], asked["name"]) == ("pets", "toy linear seed 0")
    assert (asked["id"], asked["resume"]) == (None, "allow")
    assert asked["config"] == RECIPE.provenance()
    assert [call[2] for call in wandb[1:4]] == [1, 2, 3]
    assert wandb[1][1].keys() == {"train_loss", "val_accuracy"}
    assert wandb[4][1] == metrics
    assert wandb[5] == ("finish", 0)
    assert mlflow[:2] == [("set_experiment", "cats", {}), ("start_run", None, "toy linear seed 0")]
    assert mlflow[2][1]["optim.lr"] == 0.01
    assert [call[2] for call in mlflow[3:6]] == [{"step": 1}, {"step": 2}, {"step": 3}]
    assert mlflow[6][1] == metrics
    assert mlflow[7] == ("end_run", {"status": "FINISHED"})


def test_a_resumed_run_goes_on_in_the_same_run_of_a_service_and_a_fresh_one_does_not(
    tmp_path: Path, told: tuple[Calls, Calls], monkeypatch: pytest.MonkeyPatch
):
    wandb, mlflow = told

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    assert wandb[-1] == ("finish", 1)
    assert mlflow[-1] == ("end_run", {"status": "FAILED"})
    assert json.loads((tmp_path / "run/tracking.json").read_text()) == {
        "wandb": "w1", "mlflow": "m1",
    }  # fmt: skip
    train(tmp_path)
    assert [call[1]["id"] for call in wandb if call[0] == "init"] == [None, "w1"]
    assert [call[1:] for call in mlflow if call[0] == "start_run"][1] == ("m1", None)
    train(tmp_path, fresh=True)
    assert [call[1]["id"] for call in wandb if call[0] == "init"][2] is None


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_one_line_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setitem(sys.modules, name, None)
    recipe = toy_recipe(report={name: "mine"})
    words = rf"report.{name} is set, .* not installed; pip install 'spt-serving\[{name}\]'"
    with pytest.raises(RecipeError, match=words):
        run(recipe, tmp_path / "no data", tmp_path / "run", ignore)
    assert not (tmp_path / "run").exists()


def test_a_service_that_cannot_begin_ends_the_run_before_it_is_trained(
    tmp_path: Path, told: tuple[Calls, Calls], monkeypatch: pytest.MonkeyPatch
):
    def refuse(**_: object) -> None:
        raise ConnectionError("no\nroute")

    monkeypatch.setattr(sys.modules["wandb"], "init", refuse, raising=False)
    words = r"report.wandb: wandb cannot be told of the run \(ConnectionError: no route\)"
    with pytest.raises(TrainingError, match=words):
        train(tmp_path)
    assert not (tmp_path / "run" / "state.pt").exists()


def test_a_service_that_fails_later_is_told_no_more_and_others_are(
    tmp_path: Path, told: tuple[Calls, Calls], caplog: pytest.LogCaptureFixture
):
    wandb, _ = told
    tracking = tracking_of(RECIPE)
    tracking.started(RECIPE, tmp_path)
    progress = Progress(losses=[0.5], val_accuracies=[0.25])

    def fail(*_: object, **__: object) -> None:
        raise OSError("gone")

    sys.modules["mlflow"].log_metrics = fail
    with caplog.at_level(logging.WARNING):
        tracking.epoch(progress)
        tracking.epoch(progress)
    assert [record.message for record in caplog.records] == [
        "warning: mlflow is told no more: OSError: gone"
    ]
    assert wandb[-1] == ("log", {"train_loss": 0.5, "val_accuracy": 0.25}, 1)
    tracking.finished({"test_accuracy": 1.0})
    assert wandb[-1] == ("finish", 0)


def test_nothing_is_kept_or_loaded_unless_asked(tmp_path: Path, told: tuple[Calls, Calls]):
    train(tmp_path, toy_recipe(method="linear"))
    assert told == ([], [])
    assert not (tmp_path / "run" / "tracking.json").exists()
