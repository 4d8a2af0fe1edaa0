"""How the first prompts are made (paper 3.3, 3.4).

Axis letters: B batch, N patches, L layers, P prompts, D width.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.backbone import Backbone
from adapters.block import run_block
from adapters.prompting import embed


def random_tokens(
    backbone: Backbone,
    pixels: Float[Tensor, "B 3 H W"],
    *,
    num_tokens: int,
    num_layers: int,
    generator: torch.Generator,
) -> Float[Tensor, "L P D"]:
    """Sample prompts from the patch tokens of one batch of training images (paper 3.4).

    Layer i's prompts are drawn, uniformly and without replacement, from all patch tokens that
    enter block i; those of layer 0 carry the position embedding (paper eq. 1).

    Args:
        backbone: frozen.
        pixels: one random batch of training images.
        num_tokens: P; at most the number of patch tokens in the batch.
        num_layers: 1 for shallow prompts, the backbone's depth for deep ones.
        generator: on the CPU; decides the draw.
    """
    chosen = []
    for layer in _block_inputs(backbone, pixels, num_layers):
        candidates = layer.flatten(0, 1)
        order = torch.randperm(len(candidates), generator=generator)
        chosen.append(candidates[order[:num_tokens].to(candidates.device)])
    return torch.stack(chosen)


def _block_inputs(
    backbone: Backbone, pixels: Float[Tensor, "B 3 H W"], num_layers: int
) -> Iterator[Float[Tensor, "B N D"]]:
    trunk = backbone.trunk
    with torch.no_grad():
        tokens = embed(trunk, pixels.to(backbone.device))
        for block in trunk.blocks[:num_layers]:
            yield tokens[:, trunk.num_prefix_tokens :]
            tokens = run_block(block, tokens)
