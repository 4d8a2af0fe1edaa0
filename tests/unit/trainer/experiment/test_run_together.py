"""A run that trains on the validation images, too, chooses nothing by them and says so."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.unit.trainer.toy import ignore, read, toy_recipe, train
from trainer.errors import RecipeError
from trainer.experiment.materials import prepare
from trainer.report.page import render
from trainer.report.record import read_record
from trainer.search.study import Search, search
from trainer.sweeping.grid import Grid
from trainer.sweeping.sweep import sweep

BOTH = {"train_on": "train-and-val"}


def test_both_are_trained_on_and_the_page_says_so(data: Path, tmp_path: Path):
    recipe = toy_recipe(method="linear", data=BOTH)
    result, _ = train(recipe, data, tmp_path / "run")
    metrics = read(result.folder, "metrics.json")
    assert (metrics["train_images"], metrics["val_images"], metrics["test_images"]) == (20, 10, 10)
    assert (metrics["train_on"], metrics["copies"]["count"]) == ("train-and-val", 0)
    assert metrics["uncalibrated"] == "the validation images were trained on"
    card = (result.folder / "card.md").read_text()
    assert "the validation images are among the training images" in card
    assert "accuracy on validation images" not in card
    page = render(read_record(result.folder))
    assert "accuracy on the validation images, which were trained on" in page


def test_by_default_nothing_changes():
    assert "train_on" not in toy_recipe().model_dump_json()


@pytest.mark.parametrize(
    "chosen",
    [
        {"select": "best-validation"},
        {"optim": {"patience": 2}},
        {"unknown": {"score": "energy"}},
    ],
)
def test_nothing_is_chosen_by_images_that_are_trained_on(chosen: dict[str, object]):
    with pytest.raises(ValidationError, match="chooses by the validation images, which data"):
        toy_recipe(data=BOTH, **chosen)


def test_numbers_and_several_classes_choose_by_validation_and_are_refused():
    with pytest.raises(ValidationError, match=r"data\.train_on is not for target multi-label"):
        toy_recipe(data=BOTH, target="multi-label")


def test_sweep_and_search_refuse_to_choose_by_them(data: Path, tmp_path: Path):
    recipe = toy_recipe(method="linear", data=BOTH)
    materials = prepare(recipe, data)
    with pytest.raises(RecipeError, match="leaves no images to choose by"):
        sweep(recipe, materials, Grid(lr=[1e-3]), tmp_path / "sweep", ignore)
    asked = Search(recipe, ("optim.lr=1e-3,1e-2",), 1, tmp_path / "search")
    with pytest.raises(RecipeError, match="leaves no images to choose by"):
        search(asked, materials, ignore)
