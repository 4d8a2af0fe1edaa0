"""Rows that an inexact forward leaves in doubt, computed again by an exact one.

A forward in int8 moves every feature a little. A row's best class can change only if its feature
lies that near to the boundary between two classes, so rows near one are the only ones that need
float32. Axis letters: B batch, D width, H W pixels.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from serving.inference.heads import margins
from serving.inference.prompts import gather_prompts
from serving.inference.resident import Resident
from serving.trunk.backend import Backend


def recompute_uncertain(
    backend: Backend,
    residents: Sequence[Resident],
    pixels: Float[Tensor, "B 3 H W"],
    features: Float[Tensor, "B D"],
) -> Float[Tensor, "B D"]:
    """Return the features, those of rows in doubt computed exactly.

    Args:
        backend: gave the features.
        residents: one per row, all of one form.
        pixels: of the same rows.
        features: of the same rows.
    """
    form, exact = residents[0].form, backend.exact
    below = backend.doubt(form)
    if not below:
        return features
    doubtful = in_doubt(features, residents, below).nonzero()[:, 0]
    if not len(doubtful):
        return features
    chosen = [residents[i] for i in doubtful.tolist()]
    prompts = gather_prompts(exact.backbone, form, chosen, exact.key_alignment)
    again = exact.features(form, pixels[doubtful.to(pixels.device)], prompts)
    return features.index_copy(0, doubtful, again.to(features.dtype))


def in_doubt(
    features: Float[Tensor, "B D"], residents: Sequence[Resident], below: float
) -> torch.Tensor:
    """Return which rows `[B]` are nearer to a boundary than `below`; a margin of NaN is, too."""
    return ~(margins(features, residents) >= below)
