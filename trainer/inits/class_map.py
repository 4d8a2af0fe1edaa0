"""Which classes look alike, so that a few prompts can stand for many classes (DA-VPT).

Axis letters: N images, C classes, D width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from trainer.inits.lloyd import assign, k_means


def groups_of_classes(
    features: Float[Tensor, "N D"],
    labels: Int64[Tensor, " N"],
    shape: tuple[int, int],
    generator: torch.Generator,
) -> Int64[Tensor, " C"]:
    """Return each class's group, from 0, by k-means of the classes' mean features.

    As in the authors' code, the means are normalised to one length first (`kmeans_norm=layer`).

    Args:
        features: of training images, by the bare backbone.
        labels: their classes.
        shape: C and the number of groups; every class has its own group if there are enough.
        generator: on the CPU; decides where k-means starts.
    """
    num_classes, num_groups = shape
    if num_classes <= num_groups:
        return torch.arange(num_classes)
    sums = features.new_zeros(num_classes, features.shape[1]).index_add_(0, labels, features)
    means = sums / labels.bincount(minlength=num_classes).clamp_min(1)[:, None]
    normed = F.layer_norm(means, means.shape[1:])
    return assign(normed, k_means(normed, num_groups, generator).centres)[0]
