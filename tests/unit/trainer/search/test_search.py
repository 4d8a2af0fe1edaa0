"""A search looks at the validation split alone, halves, goes on where it was, and repeats."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import ignore, make_toy_folder, toy_recipe
from trainer.errors import RecipeError, ResumeError, TrainingError
from trainer.experiment import materials as materials_module
from trainer.experiment.materials import Materials, prepare
from trainer.experiment.outcome import selected_score
from trainer.experiment.run import fit
from trainer.recipe import Recipe
from trainer.search import study as module
from trainer.search.kept import forget_search
from trainer.search.study import Point, Search, best_of, search
from trainer.training.checkpoint import Progress
from trainer.training.loop import Watch

RECIPE = toy_recipe(method="linear")
SPACE = ("optim.lr=1e-3:1:log", "optim.head_weight_decay=0,0.5")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_toy_folder(tmp_path_factory.mktemp("search") / "toy")


@pytest.fixture
def materials(data: Path, monkeypatch: pytest.MonkeyPatch) -> Materials:
    monkeypatch.setattr(materials_module, "load_backbone", lambda *_, **__: tiny_backbone())
    return prepare(RECIPE, data)


def go(
    materials: Materials,
    folder: Path,
    trials: int = 6,
    watch: Watch = ignore,
    **changes: Any,
) -> list[Point]:
    folder.mkdir(exist_ok=True)
    return search(replace(Search(RECIPE, SPACE, trials, folder), **changes), materials, watch)


def test_trials_are_proposed_within_the_space_and_the_best_is_a_recipe_that_repeats_it(
    materials: Materials, tmp_path: Path
):
    points = go(materials, tmp_path / "search")
    assert len(points) == 6
    assert all(1e-3 <= one.settings["optim.lr"] <= 1 for one in points)
    assert {one.settings["optim.head_weight_decay"] for one in points} <= {0, 0.5}
    best = best_of(points)
    written = Recipe.model_validate_json((tmp_path / "search" / "best.json").read_bytes())
    _, progress = fit(written, materials, tmp_path / "again", ignore)
    assert selected_score(written, progress) == best.val_accuracy
    assert progress.losses[-1] == best.train_loss


def test_the_test_set_is_never_read(data: Path, materials: Materials, tmp_path: Path):
    moved = [(sample.path, sample.path.with_suffix(".moved")) for sample in materials.test.samples]
    for path, away in moved:
        path.rename(away)
    try:
        assert len(go(materials, tmp_path / "search", trials=2)) == 2
    finally:
        for path, away in moved:
            away.rename(path)
    recipe = toy_recipe(method="linear", report={"test_each_epoch": True})
    with pytest.raises(RecipeError, match="never looks at the test set"):
        go(materials, tmp_path / "search", recipe=recipe)


def test_a_search_that_was_killed_in_mid_trial_ends_as_one_that_was_not(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = go(materials, tmp_path / "whole")
    began: list[str] = []

    def kill(progress: Progress, step: int, steps: int, loss: float) -> None:
        if progress.epochs == 1 and step == 1:
            began.append("a second epoch")
            if len(began) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(materials, tmp_path / "search", watch=kill)
    restored: list[int] = []
    real = module.fit

    def fit_again(*args: Any) -> Any:
        model, progress = real(*args)
        restored.append(progress.restored)
        return model, progress

    monkeypatch.setattr(module, "fit", fit_again)
    assert go(materials, tmp_path / "search") == whole
    assert restored[0] == 1
    assert (tmp_path / "search/best.json").read_bytes() == (
        tmp_path / "whole/best.json"
    ).read_bytes()


def test_more_trials_go_on_and_as_many_again_are_none(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    some = go(materials, tmp_path / "search", trials=2)
    monkeypatch.setattr(module, "fit", lambda *_: pytest.fail("nothing is left to train"))
    assert go(materials, tmp_path / "search", trials=2) == some
    monkeypatch.undo()
    assert go(materials, tmp_path / "search", trials=4)[:2] == some


def test_trials_that_fall_behind_are_stopped_by_their_validation_scores(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nine epochs: rungs after the first and the third. Each trial is worse than the one before."""
    scores, now = iter([0.9, 0.8, 0.7, 0.6]), [0.0]
    real = module.fit

    def fit_with_score(*args: Any) -> Any:
        now[0] = next(scores)
        return real(*args)

    monkeypatch.setattr("trainer.training.loop.validation_score", lambda *_: now[0])
    monkeypatch.setattr(module, "fit", fit_with_score)
    recipe = toy_recipe(method="linear", optim={"epochs": 9, "batch_size": 4, "warmup_epochs": 1})
    points = go(materials, tmp_path / "search", trials=4, recipe=recipe)
    assert [one.state for one in points] == ["finished", "stopped", "stopped", "stopped"]
    assert [one.epochs for one in points] == [9, 1, 1, 1]
    assert best_of(points).number == 0


def test_a_trial_whose_loss_is_no_number_is_stopped_and_others_go_on(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real, calls = module.fit, []

    def fit_or_fail(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise TrainingError("the training loss is nan")
        return real(*args)

    monkeypatch.setattr(module, "fit", fit_or_fail)
    points = go(materials, tmp_path / "search", trials=2)
    assert [(one.state, one.epochs) for one in points] == [("stopped", 0), ("finished", 3)]
    with pytest.raises(TrainingError, match="no trial of the search could be finished"):
        best_of(points[:1])


def test_another_search_in_the_folder_is_refused_by_name(materials: Materials, tmp_path: Path):
    folder = tmp_path / "search"
    go(materials, folder, trials=1)
    with pytest.raises(ResumeError, match=r"search\.json: this search was made with seed 0, now 5"):
        go(materials, folder, recipe=RECIPE.model_copy(update={"seed": 5}))
    with pytest.raises(ResumeError, match=r"other ranges \(optim.lr=1e-3:1:log, "):
        go(materials, folder, space=SPACE[:1])
    (folder / "search.json").write_text("[]")
    with pytest.raises(ResumeError, match=r"search\.json is damaged"):
        go(materials, folder)


def test_of_equal_scores_the_lower_loss_is_the_best():
    points = [
        Point(number, {}, "finished", 3, score, loss)
        for number, (score, loss) in enumerate([(0.5, 0.1), (0.7, 0.9), (0.7, 0.3)])
    ]
    assert best_of([*points, Point(3, {}, "stopped", 1, 0.9, None)]).number == 2


def test_a_search_is_forgotten_and_what_somebody_put_with_it_stays(
    materials: Materials, tmp_path: Path
):
    folder = tmp_path / "search"
    go(materials, folder, trials=2)
    note = next(folder.glob("trial-*")) / "note.txt"
    note.write_text("mine")
    forget_search(folder)
    assert [path for path in folder.rglob("*") if path.is_file()] == [note]
    with pytest.raises(ResumeError, match="--fresh deletes only what a search left"):
        forget_search(folder)
    forget_search(tmp_path / "not there")


def test_the_search_is_described(materials: Materials, tmp_path: Path):
    go(materials, tmp_path / "search", trials=1)
    about = json.loads((tmp_path / "search/search.json").read_text())
    assert about["space"] == list(SPACE)
    assert about["identity"]["task"] == "toy"
