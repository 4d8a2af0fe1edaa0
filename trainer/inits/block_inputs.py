"""The patch tokens that enter each block, handed on batch by batch and never kept.

Axis letters: B batch, N patches, P prompts, L layers, D width.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from timm.models.beit import Beit
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import run_block
from adapters.vit.prompting import embed
from adapters.vit.trunk import Trunk, patch_tokens


@runtime_checkable
class Collector(Protocol):
    """Makes the prompts of one layer from its tokens, which it sees once, batch by batch."""

    def add(self, tokens: Float[Tensor, "B N D"]) -> None:
        """Take in the patch tokens of a batch of images."""

    def finish(self) -> Float[Tensor, "P D"]:
        """Return the prompts, once every token has been added."""

    def facts(self) -> dict[str, object]:
        """Return what there is to report, such as the sizes of clusters."""


def feed(
    backbone: Backbone,
    batches: Iterable[Float[Tensor, "_ 3 H W"]],
    collectors: Mapping[int, Collector],
    *,
    layer0_position: bool,
) -> None:
    """Run the bare backbone over the images once and hand each layer's tokens to its collector.

    Args:
        backbone: frozen.
        batches: normalised images.
        collectors: by block, from 0; its input is collected. The number of blocks stands for the
            last block's output.
        layer0_position: whether the tokens of block 0 carry the position embedding (paper eq. 1)
            or not (official code).
    """
    trunk, depth = backbone.trunk, max(collectors)
    with torch.no_grad():
        for batch in batches:
            pixels = batch.to(backbone.device)
            tokens = embed(trunk, pixels)
            for layer in range(depth + 1):
                if layer in collectors:
                    bare = layer == 0 and not layer0_position
                    patches = tokens[:, trunk.num_prefix_tokens :]
                    collectors[layer].add(_unplaced(trunk, pixels) if bare else patches)
                if layer < depth:
                    tokens = run_block(trunk.blocks[layer], tokens)


def _unplaced(trunk: Trunk, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N D"]:
    """Return the patch tokens without positions, under the norm of the first block's input."""
    patches = patch_tokens(trunk, pixels)
    return patches if isinstance(trunk, Beit) else trunk.norm_pre(patches)
