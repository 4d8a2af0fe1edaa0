"""A recipe is the paper's defaults, then the task's table, then what was chosen, then overrides."""

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from adapters.artifact.backbone_spec import EMBEDDED
from trainer import recipe_file as module
from trainer.errors import RecipeError
from trainer.methods.table import METHODS
from trainer.recipe import Recipe
from trainer.recipe_file import load_recipe

EMBEDDED_RECIPES = (resources.files("trainer") / "recipes" / "embedded.toml").read_text()
SHIPPED = sorted(tomllib.loads(EMBEDDED_RECIPES))


def use_file(monkeypatch: pytest.MonkeyPatch, tree: dict[str, object]) -> None:
    monkeypatch.setattr(module, "_table_of", lambda task, family: dict(tree))


def test_defaults_are_the_papers():
    recipe = load_recipe("toy")
    assert (recipe.optim.epochs, recipe.optim.warmup_epochs, recipe.optim.batch_size) == (
        100,
        10,
        32,
    )
    assert (recipe.method, recipe.prompt.init, recipe.select) == ("spt-deep", "random", "last")
    assert recipe.optim.head_start == "random"
    assert (recipe.backbone, recipe.seed, recipe.pixels.augment) == (EMBEDDED, 0, "none")


@pytest.mark.parametrize(
    ("method", "expected"), [("spt-deep", 20), ("spt-shallow", 100), ("linear", 0)]
)
def test_the_number_of_prompts_follows_the_method_unless_it_is_given(method: str, expected: int):
    assert load_recipe("toy", method=method).num_prompts == expected
    given = load_recipe("toy", ["prompt.num_tokens=7"], method=method).num_prompts
    assert given == (7 if expected else 0)


def test_the_file_yields_to_what_is_chosen_and_that_to_overrides(monkeypatch):
    use_file(monkeypatch, {"seed": 1, "method": "spt-shallow", "optim": {"lr": 0.1, "epochs": 9}})
    filed = load_recipe("toy")
    assert (filed.seed, filed.method, filed.optim.lr, filed.optim.epochs) == (
        1,
        "spt-shallow",
        0.1,
        9,
    )
    assert filed.optim.batch_size == 32
    assert load_recipe("toy", seed=2).seed == 2
    assert load_recipe("toy", ["seed=3"], seed=2).seed == 3
    assert load_recipe("toy", ["optim.lr=1e-3"]).optim.model_dump() == filed.optim.model_dump() | {
        "lr": 1e-3
    }


def test_a_file_may_say_more_for_one_method(monkeypatch):
    tree = {"optim": {"lr": 0.1, "epochs": 9}, "methods": {"full": {"optim": {"lr": 1e-5}}}}
    use_file(monkeypatch, tree)
    assert (load_recipe("toy").optim.lr, load_recipe("toy").optim.epochs) == (0.1, 9)
    full = load_recipe("toy", method="full")
    assert (full.optim.lr, full.optim.epochs) == (1e-5, 9)
    assert load_recipe("toy", ["optim.lr=2"], method="full").optim.lr == 2


def test_a_file_may_say_more_for_all_methods_with_prompts(monkeypatch):
    methods = {"prompted": {"optim": {"lr": 0.5, "epochs": 7}}, "vpt-deep": {"optim": {"lr": 0.6}}}
    use_file(monkeypatch, {"methods": methods})
    assert load_recipe("toy").optim.lr == load_recipe("toy", method="spt-shallow").optim.lr == 0.5
    vpt = load_recipe("toy", method="vpt-deep").optim
    assert (vpt.lr, vpt.epochs) == (0.6, 7)
    assert load_recipe("toy", method="linear").optim.epochs == 100


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_defaults_of_its_own_whichever_way_a_recipe_is_made(method: str):
    made = Recipe(task="toy", method=method)
    assert made == load_recipe("toy", method=method)
    for part, fields in METHODS[method].defaults.items():
        assert getattr(made, part).model_dump().items() >= fields.items()
    assert Recipe(task="toy", method=method, prompt={"num_tokens": 3}).prompt.num_tokens == 3


def test_vpt_starts_uniform_and_spt_from_tokens():
    assert load_recipe("toy", method="vpt-deep").prompt.init == "uniform"
    assert load_recipe("toy", method="spt-deep").prompt.init == "random"


def test_two_amounts_of_images_to_start_from_are_refused():
    with pytest.raises(RecipeError, match="found both"):
        load_recipe("toy", ["prompt.init_images=3", "prompt.init_proportion=0.5"])


@pytest.mark.parametrize("method", ["spt-shallow", "linear", "gate-vpt", "da-vpt-plus"])
def test_a_first_block_is_for_methods_whose_deep_prompts_are_served(method: str):
    with pytest.raises(RecipeError, match=f"spt-deep, vpt-deep, .*, found method {method}"):
        load_recipe("toy", ["prompt.first_block=1"], method=method)
    assert load_recipe("toy", ["prompt.first_block=1"], method="vpt-deep").prompt.first_block == 1


def test_a_recipe_whose_prompts_begin_at_once_is_written_as_it_always_was():
    assert "first_block" not in load_recipe("toy", []).provenance()["prompt"]
    chosen = load_recipe("toy", ["prompt.first_block=1"])
    assert chosen.provenance()["prompt"]["first_block"] == 1


def test_an_artifact_names_no_place_of_a_file():
    overrides = ["weights=some/file.pth", "prompt.init_task=other", "prompt.init_data=some/place"]
    told = load_recipe("toy", overrides).provenance()
    assert "some" not in str(told)
    assert told["prompt"]["init_task"] == "other"


def test_what_is_not_chosen_leaves_the_file_alone(monkeypatch):
    use_file(monkeypatch, {"seed": 1})
    assert load_recipe("toy", seed=None, method=None).seed == 1


def test_an_override_may_be_a_number_a_text_or_a_path():
    recipe = load_recipe(
        "toy", ["optim.lr = 2e-3", "pixels.augment=crop-flip", "weights=some/file.pth"]
    )
    assert (recipe.optim.lr, recipe.pixels.augment) == (2e-3, "crop-flip")
    assert str(recipe.weights) == "some/file.pth"


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("optim.leaning_rate=1", "optim.leaning_rate"),
        ("speed=1", "speed"),
        ("optim.lr=-1", "optim.lr"),
        ("optim.epochs=many", "optim.epochs"),
        ("method=spt-wide", "method: .*no method 'spt-wide'; expected one of spt-deep, "),
        ("method=[1]", "method"),
        ("prompt.init=best", "prompt.init"),
        ("prompt.init_proportion=0", "prompt.init_proportion"),
        ("data_proportion=1.5", "data_proportion"),
        ("pixels.std=[1, 0, 1]", "pixels.std"),
        ("pixels.mean=[1, 0]", "pixels.mean"),
        ("prompt.num_tokens=0", "prompt.num_tokens"),
        ("optim=3", "optim"),
        ("seed.deep=1", "seed"),
        ("task=other", "task"),
    ],
)
def test_an_unknown_key_or_a_bad_value_is_named(override: str, named: str):
    with pytest.raises(RecipeError, match=named):
        load_recipe("toy", [override])


@pytest.mark.parametrize("override", ["optim.lr", "=3", ""])
def test_a_malformed_override_is_quoted(override: str):
    with pytest.raises(RecipeError, match=f"override '{override}'"):
        load_recipe("toy", [override])


def test_an_override_below_a_value_is_quoted():
    with pytest.raises(RecipeError, match=r"override 'seed\.deep=1': seed is a value"):
        load_recipe("toy", ["seed=1", "seed.deep=1"])


def test_a_name_that_is_no_task_id_is_refused():
    with pytest.raises(RecipeError, match="not a task id"):
        load_recipe("../Toy")


@pytest.mark.parametrize("task", SHIPPED)
def test_every_shipped_recipe_loads_and_says_how_it_is_run(task: str):
    assert load_recipe(task).task == task
    (text,) = (text for text in EMBEDDED_RECIPES.split("\n\n") if f"[{task}]" in text.splitlines())
    assert text.startswith(f"# make train TASK={task} ")


def use_embedded_file(monkeypatch: pytest.MonkeyPatch, folder: Path, data: bytes) -> None:
    (folder / "embedded.toml").write_bytes(data)
    monkeypatch.setattr(module, "_RECIPES", folder)


def test_a_table_speaks_for_its_task_alone(monkeypatch, tmp_path: Path):
    text = b"[other]\nseed = 3\n[toy]\nseed = 4\nmethods.full.optim.lr = 2\n"
    use_embedded_file(monkeypatch, tmp_path, text)
    assert [load_recipe(task).seed for task in ("other", "toy")] == [3, 4]
    assert load_recipe("toy", method="full").optim.lr == 2
    assert load_recipe("third") == Recipe(task="third")


def test_a_table_speaks_for_its_family_alone(monkeypatch, tmp_path: Path):
    use_embedded_file(monkeypatch, tmp_path, b"[toy]\nseed = 4\n")
    assert load_recipe("toy", backbone="vit_base_patch16_224.mae").seed == 0


@pytest.mark.parametrize("data", [b"[toy\n", b"[toy]\n[toy]\n", b"# \xff\n"])
def test_a_damaged_file_is_named(data: bytes, monkeypatch, tmp_path: Path):
    use_embedded_file(monkeypatch, tmp_path, data)
    with pytest.raises(RecipeError, match=r"embedded\.toml: expected TOML"):
        load_recipe("toy")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"toy = 3", r"embedded\.toml: toy: expected a table of settings, found 3"),
        (b"seed = 3\n[toy]", r"embedded\.toml: seed: expected a table of settings, found 3"),
        (b"[toy]\nmethods = 3", r"toy\.methods: expected a table"),
        (b"[toy]\nmethods.full = 3", r"toy\.methods\.full: expected a table"),
        (b"[toy]\nspeed = 3", "recipe of toy: speed"),
        (b"[toy]\noptim = 3", "recipe of toy: optim"),
        (b"[toy.optimum]\nlr = 3", "recipe of toy: optimum"),
    ],
)
def test_what_is_no_table_of_settings_is_named(
    data: bytes, named: str, monkeypatch, tmp_path: Path
):
    use_embedded_file(monkeypatch, tmp_path, data)
    with pytest.raises(RecipeError, match=named):
        load_recipe("toy")


def test_another_task_wants_a_score_by_which_it_is_told_apart():
    with pytest.raises(
        RecipeError, match=r"unknown: expected a score for other_task.*set unknown.score"
    ):
        load_recipe("toy", ["unknown.other_task=digits"])
    found = load_recipe("toy", ["unknown.other_task=digits", "unknown.score=energy"])
    assert (found.unknown.share, found.unknown.other_task) == (0.05, "digits")


def test_what_a_later_version_may_ask_of_data_is_not_in_recipes_that_do_not_ask_it():
    plain = load_recipe("toy", [])
    assert not {"shots", "sampling"} & plain.provenance()["data"].keys()
    asked = load_recipe("toy", ["data.shots=4", "data.sampling=balanced"]).provenance()["data"]
    assert (asked["shots"], asked["sampling"]) == (4, "balanced")
