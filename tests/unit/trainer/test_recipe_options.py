"""New settings are left out at their defaults, refused where they do nothing, and listed."""

import json
from pathlib import Path

import pytest

from tests.fakes.tiny import tiny_backbone
from trainer.errors import RecipeError
from trainer.experiment.start import blank_model
from trainer.recipe import Recipe
from trainer.recipe_file import load_recipe
from trainer.recipe_keys import settings_listing

ADDED = {
    "prompt": {"dropout"},
    "optim": {
        *("name", "momentum", "patience", "label_smoothing", "clip_norm", "drop_path", "ema"),
    },
    "compute": {"accumulate", "checkpoint"},
    "report": {"wandb", "mlflow", "licence"},
}


def test_a_recipe_of_before_is_written_as_it_was():
    tree = Recipe(task="toy").provenance()
    assert [key for part, keys in ADDED.items() for key in keys & tree[part].keys()] == []


def test_what_is_set_is_written_and_read_back():
    recipe = load_recipe("toy", ["optim.ema=0.9", "compute.accumulate=4", "report.wandb=mine"])
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert recipe.provenance()["optim"]["ema"] == 0.9


@pytest.mark.parametrize(
    ("method", "setting", "words"),
    [
        ("spt-deep", "optim.momentum=0.5", "optim.momentum is for sgd, found optim.name=adamw"),
        ("linear", "compute.checkpoint=true", "compute.checkpoint is for methods with prompts"),
        ("full", "compute.checkpoint=true", "found full"),
        ("gate-vpt", "prompt.dropout=0.1", "prompt.dropout is for methods with prompts"),
        ("lora", "tuning.num_flows=6", "tuning.num_flows is for method snf, found lora"),
        ("snf", "tuning.num_flows=-1", "tuning.num_flows: Input should be greater than or equal"),
        ("spt-deep", "optim.ema=1", "optim.ema: Input should be less than 1"),
        ("spt-deep", "report.licence=My own", "report.licence: String should match"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(method: str, setting: str, words: str):
    with pytest.raises(RecipeError, match=words):
        load_recipe("toy", [setting], method=method)


def test_a_methods_own_option_reaches_its_model_and_is_written_where_it_is_set():
    plain, six = (
        load_recipe("toy", method="snf"),
        load_recipe("toy", ["tuning.num_flows=6"], method="snf"),
    )
    assert "tuning" not in plain.provenance()
    assert six.provenance()["tuning"] == {"num_flows": 6}
    parts = [blank_model(one, tiny_backbone(), 2).parts()["flows"] for one in (plain, six)]
    assert parts == [6 * (32 + 33), 6 * (32 + 6 * 33)]


def test_the_listing_has_every_key_with_its_default_and_a_meaning():
    listing = settings_listing()
    assert "optim.lr (0.005): peak learning rate" in listing
    assert "optim.patience (none): stop after" in listing
    assert "compute.checkpoint (false): " in listing
    keys = [line.split(" (")[0] for line in listing.splitlines() if not line.startswith(" ")]
    assert len(keys) == len(set(keys)) > 40
    assert not any(line.endswith("): ") for line in listing.splitlines())


@pytest.mark.parametrize("form", ["json", "toml"])
def test_a_file_takes_the_place_of_the_tasks_table(tmp_path: Path, form: str):
    recipe = load_recipe("cub200", ["optim.lr=0.25", "optim.ema=0.9"], seed=3)
    path = tmp_path / f"recipe.{form}"
    if form == "json":
        path.write_text(recipe.model_dump_json())
        assert load_recipe("cub200", file=path) == recipe
    else:
        path.write_text("seed = 3\n[optim]\nlr = 0.25\nema = 0.9\n")
    again = load_recipe("cub200", ["optim.epochs=7"], path)
    assert (again.optim.lr, again.optim.ema, again.seed, again.optim.epochs) == (0.25, 0.9, 3, 7)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read as a recipe"),
        ("[1]", "expected a table of settings"),
        (json.dumps({"task": "other"}), "its task is other, asked for is toy"),
        (json.dumps({"optim": {"lrr": 1}}), "optim.lrr"),
    ],
)
def test_a_file_that_is_no_recipe_of_the_task_is_one_line(tmp_path: Path, content: str, words: str):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(RecipeError, match=words):
        load_recipe("toy", file=tmp_path / "r.json")
