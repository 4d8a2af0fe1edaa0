"""VPT's start: uniform noise. Axis letters: L layers, P prompts, D width."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.spec import BackboneSpec


def uniform_prompts(
    spec: BackboneSpec, shape: tuple[int, int], generator: torch.Generator
) -> Float[Tensor, "L P D"]:
    """Draw prompts from U(-v, v), v² = 6 / (3·p² + D) for patches of side p (Jia et al. 2022).

    Args:
        spec: gives p and D.
        shape: L and P.
        generator: on the CPU.
    """
    bound = math.sqrt(6 / (3 * spec.patch_size**2 + spec.width))
    return (torch.rand(*shape, spec.width, generator=generator) * 2 - 1) * bound
