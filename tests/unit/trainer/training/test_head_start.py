"""A fitted head classifies what a random head cannot, and in the head's own scale."""

import torch
from torch import nn

from trainer.training.head_start import fit_head


def clusters(classes: int, width: int = 6, each: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    """Return well-separated classes far from zero and of unequal spread per axis."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(classes, width, generator=generator) * 5 + 100
    labels = torch.arange(classes).repeat_interleave(each)
    noise = torch.randn(len(labels), width, generator=generator)
    return (centres[labels] + noise) * torch.logspace(-2, 2, width), labels


def test_the_fitted_head_separates_classes_on_raw_features():
    features, labels = clusters(4)
    head = nn.Linear(6, 4)
    fit_head(head, features, labels)
    assert (head(features).argmax(dim=1) == labels).all()


def test_two_classes_get_a_row_each():
    features, labels = clusters(2)
    head = nn.Linear(6, 2)
    fit_head(head, features, labels)
    assert (head(features).argmax(dim=1) == labels).all()


def test_a_class_without_an_image_keeps_its_first_weights():
    features, labels = clusters(3)
    head = nn.Linear(6, 4)
    before = head.weight[3].clone()
    fit_head(head, features, labels)
    assert torch.equal(head.weight[3], before)
    assert head.weight.requires_grad


def test_a_single_class_leaves_the_head_as_it_is():
    head = nn.Linear(6, 2)
    before = head.weight.clone()
    fit_head(head, torch.randn(5, 6), torch.zeros(5, dtype=torch.int64))
    assert torch.equal(head.weight, before)
