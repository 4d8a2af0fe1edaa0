"""What a recipe may ask of each kind of target."""

import pytest

from trainer.errors import RecipeError
from trainer.recipe import Recipe
from trainer.recipe_file import load_recipe

ORDER = 'data.class_order=["low","high"]'


def test_a_recipe_without_a_target_is_written_as_before() -> None:
    document = Recipe(task="t").model_dump()
    assert "target" not in document
    assert document["data"].keys() == {"skip_unreadable"}


def test_a_target_and_how_its_labels_are_read_are_chosen_by_name() -> None:
    found = load_recipe("t", [ORDER, "data.class_groups=groups.csv"], target="ordinal")
    assert (found.target, found.data.class_order) == ("ordinal", ("low", "high"))
    told = found.provenance()
    assert (told["target"], told["data"]["class_order"]) == ("ordinal", ["low", "high"])
    assert "class_groups" not in told["data"]
    several = load_recipe("t", ["data.label_separator=;"], target="multi-label")
    assert several.data.label_separator == ";"


@pytest.mark.parametrize(
    ("target", "setting"),
    [
        ("single-label", "data.label_separator=;"),
        ("single-label", ORDER),
        ("regression", "data.class_groups=groups.csv"),
        ("multi-label", "data.class_groups=groups.csv"),
        ("multi-label", "unknown.score=energy"),
        ("ordinal", "unknown.score=energy"),
        ("multi-label", "data.shots=4"),
        ("regression", "data.sampling=balanced"),
        ("regression", "optim.head_start=fitted"),
        ("multi-label", "report.test_each_epoch=true"),
    ],
)
def test_what_a_target_has_no_use_for_is_refused_by_name(target: str, setting: str) -> None:
    key = setting.partition("=")[0]
    with pytest.raises(RecipeError, match=f"{key} is not for target {target}"):
        load_recipe("t", [setting], target=target)


def test_a_target_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"target: .*'multi-label', 'regression' or 'ordinal'"):
        load_recipe("t", ["target=ranking"])
