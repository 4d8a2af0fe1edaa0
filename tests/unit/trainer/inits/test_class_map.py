"""Classes that look alike share a prompt."""

import torch

from trainer.inits.class_map import groups_of_classes


def test_classes_whose_means_are_alike_are_one_group():
    generator = torch.Generator().manual_seed(0)
    looks = torch.randn(3, 16, generator=generator)
    look_of = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    labels = torch.arange(7).repeat(5)
    noise = torch.randn(35, 16, generator=generator) * 0.05
    groups = groups_of_classes(looks[look_of[labels]] + noise, labels, (7, 3), generator)
    same = groups[:, None] == groups[None]
    assert torch.equal(same, look_of[:, None] == look_of[None])


def test_enough_groups_are_one_for_each_class():
    groups = groups_of_classes(torch.randn(4, 8), torch.arange(4), (4, 6), torch.Generator())
    assert groups.tolist() == [0, 1, 2, 3]
