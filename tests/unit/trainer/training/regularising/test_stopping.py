"""A training ends early after as many epochs without a better one as the recipe says."""

import pytest

from trainer.recipe_parts import OptimRecipe
from trainer.training.regularising.stopping import has_stopped


@pytest.mark.parametrize(
    ("scores", "stops"),
    [
        ([], False),
        ([0.5], False),
        ([0.5, 0.4], False),
        ([0.5, 0.4, 0.3], True),
        ([0.5, 0.5, 0.5], True),
        ([0.5, 0.6, 0.5], False),
        ([0.1, 0.2, 0.3, 0.3, 0.3], False),
    ],
)
def test_the_best_epoch_is_too_long_ago(scores: list[float], stops: bool):
    """Of the last case all epochs are over, so nothing is stopped."""
    assert has_stopped(OptimRecipe(epochs=5, patience=2), scores) is stops
    assert not has_stopped(OptimRecipe(epochs=5), scores)
