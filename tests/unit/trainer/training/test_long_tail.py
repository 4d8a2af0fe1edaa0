"""What is added to the logits in the loss for classes of very unequal size."""

import math

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from tests.unit.trainer.toy import toy_recipe
from trainer.training.long_tail import logit_offset


def test_the_offset_is_tau_times_the_log_share_and_none_when_off() -> None:
    labels = [0] * 6 + [1] * 2
    expected = torch.tensor([6 / 8, 2 / 8, 1 / 8]).log()
    for tau in (1.0, 0.5):
        found = logit_offset(tau, labels, 3)
        assert found is not None
        assert torch.allclose(found, tau * expected)
    assert logit_offset(0.0, labels, 3) is None


def test_the_best_logits_under_it_say_which_class_is_likelier_than_its_share() -> None:
    """One kind of image that both classes have: its odds over the shares are what is learned."""
    labels = torch.tensor([0] * 90 + [1] * 10)
    offset = logit_offset(1.0, labels.tolist(), 2)
    assert offset is not None
    seen = torch.tensor([0] * 9 + [1] * 3)  # a tenth of the first class, a third of the second
    logits = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=100)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy((logits + offset).expand(12, 2), seen)
        loss.backward()
        return loss

    optimizer.step(step)
    gain = logits.detach().diff()
    assert float(gain) == pytest.approx(math.log(3), abs=1e-3)


def test_two_ways_against_long_tails_are_refused_and_off_leaves_no_trace() -> None:
    recipe = toy_recipe(optim={"logit_adjustment": 1.0})
    assert recipe.provenance()["optim"]["logit_adjustment"] == 1.0
    assert "logit_adjustment" not in toy_recipe().provenance()["optim"]
    with pytest.raises(ValidationError, match="favour rare classes twice; drop one"):
        toy_recipe(optim={"logit_adjustment": 1.0}, data={"sampling": "balanced"})
