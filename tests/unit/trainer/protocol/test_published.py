"""Each method as its authors trained it; our own settings where nobody asks for theirs."""

import math
from pathlib import Path
from typing import Any

import pytest

from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.errors import RecipeError
from trainer.methods.table import METHODS
from trainer.protocol.optimisers import VPT_CODE
from trainer.recipe import Recipe
from trainer.recipe_file import load_recipe
from trainer.reproduce.grids import plain, with_published
from trainer.reproduce.studies.by_name import STUDIES
from trainer.reproduce.study import MAE, MOCO, SUPERVISED, Asked
from trainer.sweeping.grid import Grid

MEAN = (0.485, 0.456, 0.406)


def published(
    task: str, method: str = "spt-deep", backbone: str = SUPERVISED, *words: str
) -> Recipe:
    return load_recipe(task, words, backbone=backbone, method=method, protocol="published")


def test_by_default_recipes_are_what_they_were():
    recipe = load_recipe("cifar", backbone=MAE, method="vpt-deep")
    assert (recipe.protocol, recipe.optim.name, recipe.data.train_on) == ("own", "adamw", "train")
    written = recipe.model_dump_json()
    for name in ("protocol", "train_on", "replacement", "head_std", "interpolation", "decay:"):
        assert name not in written


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backbone", [MAE, MOCO, SUPERVISED])
def test_every_method_has_one_on_every_public_task(method: str, backbone: str):
    for task, known in PUBLIC_TASKS.items():
        recipe = published(task, method, backbone)
        is_vtab = known.group.startswith("vtab")
        assert recipe.data.train_on == ("train-and-val" if is_vtab else "train")
        assert recipe.pixels.augment == {
            (True, True): "shift-flip", (True, False): "crop-flip",
        }.get((not is_vtab, method in VPT_CODE or method == "full"), "none")  # fmt: skip


@pytest.mark.parametrize(
    ("backbone", "amount", "std"), [(MAE, (None, 1.0), 0.02), (MOCO, (1, None), 0.01)]
)
def test_spt_draws_from_all_images_or_for_moco_from_one(
    backbone: str, amount: tuple[int | None, float | None], std: float
):
    recipe = published("cub200", "spt-deep", backbone)
    prompt = recipe.prompt
    assert (prompt.init_images, prompt.init_proportion) == amount
    assert (prompt.replacement, prompt.layer0_position, prompt.pool_over) == (True, False, "image")
    assert (recipe.optim.head_std, recipe.optim.name) == (std, "adamw")
    assert recipe.report.test_each_epoch


def test_an_amount_of_images_that_is_asked_stays():
    asked = published("cub200", "spt-deep", MOCO, "prompt.init_proportion=0.3").prompt
    assert (asked.init_images, asked.init_proportion) == (None, 0.3)
    assert published("cub200", "spt-deep", MOCO, "prompt.init=kmeans").prompt.init_images is None


def test_the_rates_of_the_tables_are_read_for_methods_that_they_are_of():
    assert (
        published("stanford_dogs").optim.lr
        == load_recipe("stanford_dogs", backbone=SUPERVISED).optim.lr
    )
    ssf = published("stanford_cars", "ssf").optim
    assert (ssf.lr, ssf.ema, ssf.label_smoothing, ssf.batch_size) == (2e-2, 0.9998, 0.1, 64)
    flowers = published("oxford_flowers", "ssf").optim
    assert (flowers.drop_path, flowers.ema) == (0.1, 0.999)
    assert published("svhn", "ssf").optim.label_smoothing == 0


@pytest.mark.parametrize("method", ["vpt-deep", "vpt-shallow", "e2vpt"])
def test_vpts_code_trains_by_sgd_with_one_decay_of_all(method: str):
    recipe = published("cub200", method)
    optim = recipe.optim
    assert (optim.name, optim.momentum, optim.batch_size, optim.decay) == ("sgd", 0.9, 64, "all")
    assert optim.lr == 0.1 * 64 / 256
    assert optim.weight_decay == optim.head_weight_decay == 0.01
    assert optim.head_std == pytest.approx(math.sqrt(2 / 200), abs=1e-6)
    assert recipe.prompt.dropout == 0.1
    assert recipe.pixels.interpolation == "bilinear"
    assert recipe.pixels.mean == MEAN
    assert not recipe.report.test_each_epoch


def test_gate_vpt_has_no_decay():
    optim = published("cub200", "gate-vpt", MAE).optim
    assert (optim.name, optim.weight_decay, optim.head_weight_decay) == ("sgd", 0.0, 0.0)


def test_pixels_of_vtab_are_cut_as_in_each_code():
    assert published("sun397").pixels.resize == "shorter"
    vpt = published("sun397", "vpt-deep").pixels
    assert (vpt.resize, vpt.interpolation) == ("squash", "bilinear")
    assert published("sun397", "ssf").pixels.mean is None
    assert published("sun397", "spt-deep", MAE).pixels.mean is None


def test_what_is_set_comes_last():
    recipe = published("svhn", "vpt-deep", MAE, "optim.name=adamw", "data.train_on=train")
    assert (recipe.optim.name, recipe.data.train_on) == ("adamw", "train")


def test_a_file_of_settings_is_no_protocol(tmp_path: Path):
    file = tmp_path / "recipe.json"
    file.write_text("{}")
    with pytest.raises(RecipeError, match="takes settings from the task's table, and"):
        load_recipe("cifar", ["protocol=published"], file)


def test_a_finished_runs_recipe_is_read_as_it_is(tmp_path: Path):
    recipe = published("svhn", "vpt-deep", MAE, "data.train_on=train")
    file = tmp_path / "recipe.json"
    file.write_text(recipe.model_dump_json())
    assert load_recipe("svhn", file=file) == recipe


def test_studies_are_measured_under_it():
    common: dict[str, Any] = {"backbone": MAE, "protocol": "published", "optim": {"epochs": 7}}
    for variant in STUDIES["table2"](Asked()).variants:
        for task in ("cub200", "svhn"):
            recipe = variant.recipe(common, task, 3)
            method = str(variant.settings["method"])
            own = published(task, method, MAE)
            assert recipe == own.model_copy(
                update={"seed": 3, "optim": own.optim.model_copy(update={"epochs": 7})}
            )


def test_the_values_of_vpts_code_are_tried_with_one_decay_of_all():
    (variant,) = plain("vpt-deep")
    recipe = variant.recipe({"backbone": MAE, "protocol": "published"}, "cub200", 0)
    points = list(with_published(variant.grid, recipe).points(recipe))
    assert len(points) == 12
    assert all(point["weight_decay"] == point["head_weight_decay"] for point in points)
    assert {point["lr"] * 256 / 64 for point in points} == {0.1, 1.0, 10.0}
    assert with_published(Grid(), recipe) == Grid()


def test_what_ssfs_authors_set_is_a_point_that_is_tried():
    (variant,) = plain("ssf")
    recipe = variant.recipe({"backbone": SUPERVISED, "protocol": "published"}, "cub200", 0)
    points = list(with_published(variant.grid, recipe).points(recipe))
    assert any(point["lr"] == 1e-2 and point["head_weight_decay"] == 0.05 for point in points)
