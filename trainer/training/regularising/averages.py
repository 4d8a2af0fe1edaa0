"""An average of the trained parts over steps, which is scored and published in their place.

`average ← d·average + (1 - d)·parts` after each step (Polyak and Juditsky 1992, in the exponential
form). Until step t is far from the start, `d = (1 + t) / (10 + t)` takes the place of a decay that
is higher, as in TensorFlow's `ExponentialMovingAverage`: a short run is not held at its first
weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from trainer.methods.classifier import Classifier

Average = dict[str, Tensor]
"""Tensors by their names in the model's `state_dict`; empty where nothing is averaged."""


def first_average(model: Classifier) -> Average:
    """Return the average before any step: the parts themselves."""
    return {name: part.detach().clone() for name, part in model.state_dict().items()}


def update(average: Average, model: Classifier, decay: float, step: int) -> None:
    """Move the average towards the parts, in place.

    Args:
        average: of `first_average`, or as an earlier process left it.
        model: after a step.
        decay: d, above 0 and below 1.
        step: index of the step that was made in the whole run, from 0.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, part in model.state_dict().items():
            if part.is_floating_point():
                average[name] = average[name].to(part.device).lerp_(part, share)


@contextmanager
def averaged(model: Classifier, average: Average) -> Iterator[None]:
    """Give the model its averaged parts while in this block, and then its own again."""
    if not average:
        yield
        return
    own = first_average(model)
    model.load_state_dict(average)
    try:
        yield
    finally:
        model.load_state_dict(own)
