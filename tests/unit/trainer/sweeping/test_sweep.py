"""A sweep looks at the validation split only, goes on where it was, and picks the best."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.trainer.toy import ignore, make_toy_folder, save_noisy, toy_recipe
from trainer.errors import ResumeError
from trainer.experiment.materials import Materials, prepare
from trainer.recipe import Recipe
from trainer.sweeping import sweep as module
from trainer.sweeping.grid import Grid, Trial, at_edge, best_of
from trainer.sweeping.sweep import MOST_BEYOND, forget_sweep, sweep, with_settings
from trainer.training.checkpoint import Progress

GRID = Grid(lr=(1e-3, 1e-2), head_weight_decay=(0.0, 0.5))
RECIPE = toy_recipe(method="linear")


@pytest.fixture
def materials(tmp_path: Path) -> Materials:
    return prepare(RECIPE, make_toy_folder(tmp_path / "toy"))


def go(materials: Materials, folder: Path, recipe: Recipe = RECIPE) -> list[Trial]:
    folder.mkdir(exist_ok=True)
    return sweep(recipe, materials, GRID, folder, ignore)


def test_every_combination_is_tried_and_those_not_named_keep_the_recipes_value(
    materials: Materials, tmp_path: Path
):
    trials = go(materials, tmp_path / "sweep")
    tried = [tuple(trial.settings.values()) for trial in trials]
    assert tried == [(lr, 0.01, wd) for lr in (1e-3, 1e-2) for wd in (0.0, 0.5)]
    assert len({trial.train_loss for trial in trials}) == 4


def test_the_test_set_is_never_read(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for sample in materials.task_data.test:
        sample.path.unlink()
    assert len(go(materials, tmp_path / "sweep")) == 4


def test_a_sweep_goes_on_where_it_was(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = go(materials, tmp_path / "sweep")
    written = tmp_path / "sweep" / "sweep.json"
    document = json.loads(written.read_text())
    document["trials"].pop()
    written.write_text(json.dumps(document))
    fitted = []
    real = module.fit
    monkeypatch.setattr(module, "fit", lambda *a: (fitted.append(1), real(*a))[1])
    again = go(materials, tmp_path / "sweep")
    assert len(fitted) == 1
    assert [t.val_accuracy for t in again] == [t.val_accuracy for t in whole]


def test_another_recipes_sweep_is_refused(materials: Materials, tmp_path: Path):
    go(materials, tmp_path / "sweep")
    with pytest.raises(ResumeError, match=r"sweep\.json: this sweep was .* seed 0, now 5"):
        go(materials, tmp_path / "sweep", RECIPE.model_copy(update={"seed": 5}))


def test_a_sweep_goes_on_beyond_its_grid_until_the_best_lies_inside(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The score falls with the distance to a rate of 0.5, eight times the largest of the grid."""
    scores_by_rate(monkeypatch, lambda lr: -abs(math.log(lr / 0.5)))
    grid = Grid(lr=(1e-3, 8e-3, 6.4e-2), goes_on=("lr",))
    folder = tmp_path / "sweep"
    folder.mkdir()
    trials = sweep(RECIPE, materials, grid, folder, ignore)
    assert [one.settings["lr"] for one in trials] == [0.001, 0.008, 0.064, 0.512, 4.1]
    assert best_of(trials).settings["lr"] == 0.512
    assert at_edge(best_of(trials).settings, [one.settings for one in trials]) == []


def test_a_search_that_never_turns_ends_and_says_so(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scores_by_rate(monkeypatch, lambda lr: lr)
    (tmp_path / "sweep").mkdir()
    grid = Grid(lr=(1e-3, 2e-3), goes_on=("lr",))
    trials = sweep(RECIPE, materials, grid, tmp_path / "sweep", ignore)
    assert len(trials) == 2 + MOST_BEYOND
    assert at_edge(best_of(trials).settings, [one.settings for one in trials]) == ["lr"]


def scores_by_rate(monkeypatch: pytest.MonkeyPatch, score: Callable[[float], float]) -> None:
    """Train nothing; each trial has the score of its rate."""

    def fitted(recipe: Recipe, *_: object) -> tuple[None, Progress]:
        value = score(recipe.optim.lr)
        return None, Progress(losses=[1.0], val_accuracies=[value], epoch_seconds=[0.0])

    monkeypatch.setattr(module, "fit", fitted)
    monkeypatch.setattr(module, "selected_score", lambda _, progress: progress.val_accuracies[-1])


def test_settings_replace_those_of_the_optimiser_only():
    made = with_settings(RECIPE, {"lr": 0.5})
    assert made.optim == RECIPE.optim.model_copy(update={"lr": 0.5})
    assert made.model_copy(update={"optim": RECIPE.optim}) == RECIPE


def test_a_sweep_on_other_images_is_refused(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    go(materials, tmp_path / "sweep")
    save_noisy(tmp_path / "toy" / "train" / "red" / "9.png", (220, 60, 40), 99)
    with pytest.raises(ResumeError, match=r"sweep\.json: .* 10 train images, now 11"):
        go(prepare(RECIPE, tmp_path / "toy"), tmp_path / "sweep")


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"identity": "x", "trials": []}', '{"identity": {}, "trials": [{"a": 1}]}'],
)
def test_a_damaged_sweep_is_one_line(materials: Materials, tmp_path: Path, content: str):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.json").write_text(content)
    with pytest.raises(ResumeError, match=r"sweep\.json is damaged.*--fresh"):
        go(materials, tmp_path / "sweep")


def test_a_sweep_is_forgotten_and_what_somebody_put_with_it_stays(
    materials: Materials, tmp_path: Path
):
    folder = tmp_path / "sweep"
    go(materials, folder)
    note = next(folder.glob("lr=*")) / "note.txt"
    note.write_text("mine")
    forget_sweep(folder)
    assert [path for path in folder.rglob("*") if path.is_file()] == [note]


def test_a_folder_that_holds_no_sweep_is_not_touched(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ResumeError, match="--fresh deletes only what a sweep left"):
        forget_sweep(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
    forget_sweep(tmp_path / "not there")
