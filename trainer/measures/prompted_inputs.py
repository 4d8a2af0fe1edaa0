"""The tokens and the prompts that enter each block, as the model under prompts computes them.

The slow, obvious form: prompts are tokens, so that all that is measured sees them as the paper
writes them. Axis letters: B batch, T tokens that are no prompts, P prompts, L layers, D width.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import run_block
from adapters.vit.prompting import embed
from trainer.errors import DataError


@dataclass(frozen=True)
class BlockInput:
    """What enters one block.

    Attributes:
        block: that block.
        tokens: class token, registers if any, patch tokens.
        prompts: deep ones are the same for every image; shallow ones have been through the
            blocks before (Z, paper eq. 12). P is 0 for a bare trunk, and before the first block
            that has prompts.
        num_special: how many of the tokens come before the patch tokens.
    """

    block: nn.Module
    tokens: Float[Tensor, "B T D"]
    prompts: Float[Tensor, "B P D"]
    num_special: int

    @property
    def patches(self) -> Float[Tensor, "B N D"]:
        """The patch tokens; those of the first block carry the position embedding (eq. 1)."""
        return self.tokens[:, self.num_special :]


def prompted_inputs(
    backbone: Backbone,
    prompts: Float[Tensor, "M P D"] | None,
    pixels: Float[Tensor, "B 3 H W"],
) -> Iterator[BlockInput]:
    """Yield the input of every block, first to last, without a graph.

    Args:
        backbone: frozen.
        prompts: deep `[M, P, D]`, of the last M blocks; shallow `[1, P, D]`; or None for a bare
            trunk.
        pixels: normalised images.

    Raises:
        DataError: the prompts are not of this backbone's depth or width.
    """
    trunk, layers = backbone.trunk, _on_backbone(backbone, prompts)
    deep = len(layers) > 1
    first_block = backbone.spec.depth - len(layers) if deep else 0
    with torch.no_grad():
        tokens = embed(trunk, pixels.to(backbone.device, backbone.dtype))
        count = tokens.shape[1]
        rows = layers[:, None].expand(-1, len(pixels), -1, -1)
        entering = rows[0, :, :0] if first_block else rows[0]
        for i, block in enumerate(trunk.blocks):
            if deep and i >= first_block:
                entering = rows[i - first_block]
            yield BlockInput(block, tokens, entering, trunk.num_prefix_tokens)
            left = run_block(block, torch.cat([tokens, entering], dim=1))
            tokens, entering = left[:, :count], left[:, count:]


def _on_backbone(
    backbone: Backbone, prompts: Float[Tensor, "M P D"] | None
) -> Float[Tensor, "M P D"]:
    spec = backbone.spec
    if prompts is None:
        return torch.empty(1, 0, spec.width, device=backbone.device, dtype=backbone.dtype)
    if len(prompts) > spec.depth or prompts.shape[2] != spec.width:
        raise DataError(
            f"prompts: expected 1 to {spec.depth} layers, [M, P, {spec.width}], for "
            f"backbone {spec.name}, found {list(prompts.shape)}; "
            "analyse them on the backbone that they were trained on"
        )
    return prompts.detach().to(backbone.device, backbone.dtype)
