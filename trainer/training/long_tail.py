"""Classes of very unequal size: what is added to the logits in the loss.

Axis letters: C classes.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def logit_offset(tau: float, labels: Sequence[int], num_classes: int) -> Float[Tensor, " C"] | None:
    """Return `tau * log(share)` of each class; None for a tau of 0.

    A model that is trained with it in front of the softmax, and used without, has the least mean
    error over classes instead of over images (Menon et al., "Long-tail learning via logit
    adjustment", 2021, eq. 10). A class without an image counts as one with a single image.

    Args:
        tau: 0 or more; 1 is the paper's.
        labels: of the training images.
        num_classes: C.
    """
    if not tau:
        return None
    counts = torch.tensor(labels).bincount(minlength=num_classes).clamp(min=1)
    return tau * (counts / len(labels)).log()
