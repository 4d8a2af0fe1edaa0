"""Rows with prompts as our forward computes them, and as the token form does."""

import torch
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.vit.adapter import Adapter
from adapters.vit.prompting import DeepPrompts, Prompts, ShallowPrompts, features, prefix_of
from adapters.vit.trunk import Trunk
from tests.fakes.artifacts import make_adapter
from tests.fakes.reference import reference_features

METHODS = ("spt-deep", "spt-shallow", "linear")
"""One of each form that prompts have."""


def difference(
    trunk: Trunk, spec: BackboneSpec, method: str, pixels: Tensor, prompts: int
) -> float:
    """Return the largest difference between both, relative to the largest feature.

    Args:
        trunk: in float64.
        spec: of the trunk; it says how tokens are read out.
        method: of all rows.
        pixels: of each row.
        prompts: of each row.
    """
    rows = [
        make_adapter(method=method, seed=seed, prompts=prompts, backbone=spec)
        for seed in range(len(pixels))
    ]
    found = features(trunk, spec, pixels, _prompts_of(trunk, rows))
    expected = reference_features(trunk, rows, pixels)
    return float((found - expected).abs().max() / expected.abs().max())


def _prompts_of(trunk: Trunk, rows: list[Adapter]) -> Prompts:
    prompts = [row.prompts.double() for row in rows if row.prompts is not None]
    if not prompts:
        return None
    if not rows[0].is_deep:
        return ShallowPrompts(torch.stack([one[0] for one in prompts]))
    prefix = torch.stack([prefix_of(trunk, one) for one in prompts])
    return DeepPrompts(prefix, last=torch.stack([one[-1] for one in prompts]))
