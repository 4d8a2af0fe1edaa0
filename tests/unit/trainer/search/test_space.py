"""What may be searched is what a person can read, and what a recipe can have."""

import pytest

from tests.unit.trainer.toy import toy_recipe
from trainer.errors import RecipeError
from trainer.search.space import DEFAULT, Axis, read_axis, read_space, with_values


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("optim.lr=1e-4:1e-1:log", Axis("optim.lr", (1e-4, 1e-1), is_range=True, is_log=True)),
        ("optim.lr=1:10:log", Axis("optim.lr", (1, 10), is_range=True, is_log=True)),
        ("optim.ema = 0.9:0.999", Axis("optim.ema", (0.9, 0.999), is_range=True)),
        ("optim.clip_norm=1:2.5:log", Axis("optim.clip_norm", (1.0, 2.5), True, True)),
        ("prompt.num_tokens=5:50", Axis("prompt.num_tokens", (5, 50), is_range=True)),
        ("prompt.init=random,kmeans", Axis("prompt.init", ("random", "kmeans"), is_range=False)),
        ("optim.name=sgd, adamw", Axis("optim.name", ("sgd", "adamw"), is_range=False)),
    ],
)
def test_ranges_and_choices_are_read(text: str, axis: Axis):
    assert read_axis(text) == axis


def test_a_range_is_of_whole_numbers_where_both_ends_are():
    assert read_axis("prompt.num_tokens=5:50").is_whole
    assert not read_axis("optim.lr=1:1.5").is_whole
    assert not read_axis("prompt.num_tokens=5,50").is_whole


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optim.lr", "expected KEY=LOW:HIGH"),
        ("=1:2", "expected KEY=LOW:HIGH"),
        ("optim.lr=a:b", "expected KEY=LOW:HIGH"),
        ("optim.lr=1:2:lin", "expected KEY=LOW:HIGH"),
        ("optim.lr=1:2:log:3", "expected KEY=LOW:HIGH"),
        ("optim.lr=true:2", "expected KEY=LOW:HIGH"),
        ("optim.lr=2:1", "a lower bound that is below"),
        ("optim.lr=0:1:log", "a lower bound above 0"),
        ("optim.lr=0.1", "two choices or more"),
        ("seed=1:5", "expected a key of optim or prompt, found seed"),
        ("data.shots=1,2", "the same for all trials"),
    ],
)
def test_what_is_neither_is_one_line(text: str, words: str):
    with pytest.raises(RecipeError, match=words):
        read_axis(text)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["optim.lr=-1:1"], "optim.lr=-1: optim.lr: Input should be greater than 0"),
        (["optim.rate=1:2"], "optim.rate: Extra inputs"),
        (["prompt.init=random,guess"], "prompt.init=guess"),
        (["optim.lr=1:2", "optim.lr=1:3"], "optim.lr stands twice"),
    ],
)
def test_values_that_no_recipe_can_have_are_found_before_anything_is_trained(
    texts: list[str], words: str
):
    with pytest.raises(RecipeError, match=words):
        read_space(texts, toy_recipe())


def test_the_usual_space_is_one_and_values_replace_their_keys_alone():
    recipe = toy_recipe()
    assert len(read_space(DEFAULT, recipe)) == 3
    made = with_values(recipe, {"optim.lr": 0.5, "prompt.num_tokens": 7})
    assert (made.optim.lr, made.prompt.num_tokens) == (0.5, 7)
    assert with_values(made, {"optim.lr": recipe.optim.lr, "prompt.num_tokens": 2}) == recipe
