"""VPT's start, uniform noise, and its scale for other starts.

Axis letters: M layers with prompts, P prompts, D width.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec


def uniform_prompts(
    spec: BackboneSpec, shape: tuple[int, int], generator: torch.Generator
) -> Float[Tensor, "M P D"]:
    """Draw prompts from U(-v, v), v² = 6 / (3·p² + D) for patches of side p (Jia et al. 2022).

    Args:
        spec: gives p and D.
        shape: M and P.
        generator: on the CPU.
    """
    return (torch.rand(*shape, spec.width, generator=generator) * 2 - 1) * _bound(spec)


def at_uniform_scale(prompts: Float[Tensor, "M P D"], spec: BackboneSpec) -> Float[Tensor, "M P D"]:
    """Return the prompts centred and scaled to the standard deviation of `uniform_prompts`.

    Every block's LayerNorm takes off a token's mean and length, so before the first step the
    keys and values are the same. But AdamW's steps are equally long for all: a patch token is
    many times as long as a prompt of VPT, and turns as many times more slowly.
    """
    centred = prompts - prompts.mean(dim=-1, keepdim=True)
    lengths = centred.square().mean(dim=-1, keepdim=True).sqrt()
    return centred / lengths.clamp_min(1e-12) * (_bound(spec) / math.sqrt(3))


def _bound(spec: BackboneSpec) -> float:
    return math.sqrt(6 / (3 * spec.patch_size**2 + spec.width))
