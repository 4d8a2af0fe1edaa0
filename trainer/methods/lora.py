"""LoRA (Hu et al. 2021): low-rank updates of the queries' and values' projections.

Axis letters: L layers, r rank, D width, A width of all heads together (usually D),
E = 3·A.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from trainer.methods.retuned import RetunedClassifier

RANK = 8
"""r. With 8, ViT-B has 0.29 M parameters without the head; Table S4 counts 0.32 M with heads."""
ALPHA = 8
"""An update is `ALPHA/RANK · up @ down`."""


class LoraClassifier(RetunedClassifier):
    """The trunk with `W + alpha/r · B A` in place of the projections W of queries and values.

    Attributes:
        updates: `down` (A in LoRA's paper), `[L, 2, r, D]`, normal with std `1/√D`, and `up` (B),
            `[L, 2, A, r]`, zero, so that training starts at the backbone.
    """

    def __init__(self, backbone: Backbone, num_classes: int) -> None:
        super().__init__(backbone, num_classes)
        depth, width = backbone.spec.depth, backbone.spec.width
        down = torch.randn(depth, 2, RANK, width) * width**-0.5
        up = torch.zeros(depth, 2, backbone.trunk.blocks[0].attn.attn_dim, RANK)
        self.updates = nn.ParameterDict({"down": nn.Parameter(down), "up": nn.Parameter(up)})

    def exchanged(self) -> dict[str, Tensor]:
        """Return the updated projections."""
        return {
            f"blocks.{i}.attn.qkv.weight": block.attn.qkv.weight + update
            for i, (block, update) in enumerate(
                zip(self.backbone.trunk.blocks, self._updates(), strict=True)
            )
        }

    def _updates(self) -> Float[Tensor, "L E D"]:
        """Return what is added to the joint projection of queries, keys and values."""
        products = ALPHA / RANK * (self.updates["up"] @ self.updates["down"])
        queries, values = products.unbind(dim=1)
        return torch.cat([queries, torch.zeros_like(queries), values], dim=1)
