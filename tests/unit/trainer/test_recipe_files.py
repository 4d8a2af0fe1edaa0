"""The recipes of public tasks: complete, valid, and saying only what differs."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from itertools import takewhile
from typing import Any

import pytest

from adapters.vit.families import family_of
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.methods.table import DEFAULT_METHOD, METHODS
from trainer.recipe import Recipe, overlay
from trainer.recipe_file import load_recipe

FAMILIES = ("mae", "mocov3", "augreg", "original")
RECIPES_OF_TASKS = [(family, task) for family in FAMILIES for task in PUBLIC_TASKS]
RECIPES = resources.files("trainer") / "recipes"
GROUPS = ("fgvc", "vtab-natural", "vtab-specialized", "vtab-structured")
MEANS = {
    ("mae", "deep"): (83.26, 67.19, 83.15, 59.23),
    ("mae", "shallow"): (73.95, 62.53, 80.90, 53.46),
    ("mocov3", "deep"): (86.00, 76.20, 84.95, 58.36),
    ("mocov3", "shallow"): (84.08, 74.47, 83.93, 55.16),
    ("augreg", "deep"): (91.40, 82.27, 85.48, 58.91),
    ("augreg", "shallow"): (90.10, 81.44, 83.65, 52.86),
}
EXPECTED = re.compile(
    r"# expected: (?P<deep>\d+\.\d+) top-1 with SPT-Deep, (?P<shallow>\d+\.\d+) with "
    r"METHOD=spt-shallow \(paper, Table (2|3|S3); not measured here\)"
)
each_table = pytest.mark.parametrize(("family", "task"), RECIPES_OF_TASKS)


@cache
def paragraphs_of(family: str) -> list[str]:
    """Return what a file says of all its tasks, then the comments and table of each."""
    return (RECIPES / f"{family}.toml").read_text().split("\n\n")


def top_of(family: str) -> list[str]:
    return paragraphs_of(family)[0].splitlines()


@cache
def text_of(family: str, task: str) -> str:
    """Return the comments and the table of one task."""
    (text,) = (text for text in paragraphs_of(family) if f"[{task}]" in text.splitlines())
    return text


def settings_of(family: str, task: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a table says for all methods, and what for each."""
    tree = tomllib.loads(text_of(family, task))[task]
    for_methods = tree.pop("methods", {})
    return tree, for_methods


def command_of(family: str, task: str) -> dict[str, str]:
    """Return the variables of a family's command for a task."""
    hash_sign, make, target, *pairs = shlex.split(top_of(family)[1].replace("<task>", task))
    assert (hash_sign, make, target) == ("#", "make", "train")
    return dict(pair.split("=", 1) for pair in pairs)


def leaves(tree: dict[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{place}{key}.")
        else:
            yield place + key, value


def value_at(recipe: Recipe, place: str) -> object:
    value: object = recipe
    for name in place.split("."):
        value = getattr(value, name)
    return value


def test_a_family_whose_checkpoints_have_recipes_has_one_file_and_nothing_else_lies_there():
    assert {file.name for file in RECIPES.iterdir()} == {
        f"{family}.toml" for family in (*FAMILIES, "embedded")
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_a_table_for_every_public_task_in_order_and_no_other(family: str):
    tables = tomllib.loads((RECIPES / f"{family}.toml").read_text())
    assert list(tables) == sorted(PUBLIC_TASKS)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_comment_stands_above_the_one_table_it_is_of(family: str):
    top, *others = paragraphs_of(family)
    assert all(line.startswith("# ") for line in top.splitlines())
    for text in others:
        notes = list(takewhile(lambda line: line.startswith("# "), text.splitlines()))
        table, *settings = text.splitlines()[len(notes) :]
        assert notes
        assert table.strip("[]") in PUBLIC_TASKS
        assert not any(line.startswith(("#", "[")) for line in settings)


@each_table
def test_a_table_makes_a_recipe_under_its_own_command(family: str, task: str):
    command = command_of(family, task)
    assert set(command) == {"TASK", "BACKBONE", "DATA"} | (
        {"WEIGHTS"} if family == "mocov3" else set()
    )
    assert (command["TASK"], command["DATA"]) == (task, f"data/{task}")
    assert family_of(command["BACKBONE"]).name == family
    for method in METHODS:
        recipe = load_recipe(task, backbone=command["BACKBONE"], method=method)
        shared, for_methods = settings_of(family, task)
        prompted = for_methods.get("prompted", {}) if METHODS[method].prompts else {}
        special = overlay(prompted, for_methods.get(method, {}))
        for place, value in leaves(overlay(shared, special)):
            assert value_at(recipe, place) == value


@each_table
def test_a_table_says_only_what_differs_from_the_defaults(family: str, task: str):
    shared, for_methods = settings_of(family, task)
    for place, value in leaves(shared):
        assert value_at(Recipe(task=task), place) != value, place
    for method, settings in for_methods.items():
        assert list(leaves(settings))
        plain = Recipe(
            task=task, method=DEFAULT_METHOD if method == "prompted" else method, **shared
        )
        for place, value in leaves(settings):
            assert value_at(plain, place) != value, place


@each_table
def test_rates_and_decays_of_prompts_are_the_same_for_each_start_and_for_no_other_method(
    family: str, task: str
):
    shared, for_methods = settings_of(family, task)
    assert "optim" not in shared
    assert set(for_methods) <= {"prompted", "ssf", "snf"}
    assert "optim" not in for_methods.get("snf", {})
    backbone = command_of(family, task)["BACKBONE"]
    for method in ("full", "linear", "bias", "lora"):
        filed = load_recipe(task, backbone=backbone, method=method).optim
        assert filed == Recipe(task=task, method=method).optim


@each_table
def test_shortcuts_have_six_flows_in_vtab_under_the_papers_supervised_backbone_and_else_one(
    family: str, task: str
):
    recipe = load_recipe(task, backbone=command_of(family, task)["BACKBONE"], method="snf")
    is_of_table_s4 = family == "augreg" and PUBLIC_TASKS[task].group.startswith("vtab")
    assert recipe.tuning.num_flows == (6 if is_of_table_s4 else 1)


@each_table
def test_photographs_are_cropped_except_those_of_vtab(family: str, task: str):
    shared, _ = settings_of(family, task)
    cropped = {"pixels": {"resize": "shorter", "resize_size": 256, "augment": "crop-flip"}}
    assert shared == ({} if PUBLIC_TASKS[task].group.startswith("vtab") else cropped)


@each_table
def test_a_header_tells_what_to_expect_and_whence_the_rates_are(family: str, task: str):
    header = [line for line in text_of(family, task).splitlines() if line.startswith("#")]
    assert text_of(family, task).splitlines()[: len(header)] == header
    assert header[0].startswith("# expected: ")
    sources = [*top_of(family), *header]
    assert sum(line.startswith(("# lr: ", "# lr, weight decays: ")) for line in sources) == 1
    has_number = family != "original" and PUBLIC_TASKS[task].group != "large"
    assert (EXPECTED.fullmatch(header[0]) is not None) == has_number
    assert has_number or header[0].startswith("# expected: no ")


@pytest.mark.parametrize(("family", "variant"), MEANS)
def test_expected_results_have_the_means_that_the_paper_prints(family: str, variant: str):
    for group, printed in zip(GROUPS, MEANS[family, variant], strict=True):
        tasks = [task for task, known in PUBLIC_TASKS.items() if known.group == group]
        found = [EXPECTED.search(text_of(family, task)) for task in tasks]
        numbers = [float(match[variant]) for match in found if match]
        assert len(numbers) == len(tasks)
        assert sum(numbers) / len(numbers) == pytest.approx(printed, abs=0.06)
