"""A threshold rejects the share that is asked for, and the AUROC is what it is called."""

import numpy as np
import pytest
import torch

from adapters.artifact.unknown import known_score
from trainer.confidence.unknown import auroc, choose_threshold


@pytest.mark.parametrize(
    ("share", "rejected"), [(0.0, 0.0), (0.05, 0.05), (0.059, 0.05), (0.999, 0.99)]
)
def test_a_threshold_rejects_the_share_of_validation_images_that_is_asked_for(share, rejected):
    known = np.random.default_rng(0).permutation(100) / 7.0
    rule = choose_threshold("energy", known, share)
    assert (rule.images, rule.false_reject_rate) == (100, rejected)
    assert (known < rule.threshold).mean() == rejected


def test_the_auroc_is_how_often_a_known_image_has_a_higher_score():
    known, others = np.array([3.0, 2.0, 1.0]), np.array([0.0, 1.5])
    assert auroc(known, others) == pytest.approx(5 / 6)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 7.0])
def test_the_energy_is_the_soft_maximum_of_the_logits_however_large(temperature):
    logits = torch.randn(4, 5) * torch.tensor([[1.0], [1e3], [1e30], [0.0]])
    found = known_score("energy", logits.numpy(), temperature)
    expected = temperature * (logits.double() / temperature).logsumexp(1)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12)
    assert known_score("energy", logits[0].numpy(), temperature) == found[0]


def test_the_probability_is_that_of_the_best_class_at_the_temperature():
    logits = torch.randn(6, 5) * 3
    found = known_score("probability", logits.numpy(), 2.0)
    expected = (logits.double() / 2).softmax(1).amax(1)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12)
