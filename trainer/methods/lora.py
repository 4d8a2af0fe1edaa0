"""LoRA (Hu et al. 2021): a low-rank update of the joint projection of queries, keys and values.

As in the code of NOAH (Zhang et al. 2022), whose numbers the paper's Table S4 repeats: one matrix
down for all three, and one up to them. LoRA's own paper has a pair each for queries and values,
and as many numbers. Not merged into the trunk's weights, so that dropout can act on what is
projected down. The merged weights are `W + up @ down`.
Axis letters: L layers, T tokens, r rank, D width, E = 3·A, A width of all heads together
(usually D).
"""

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import Block
from torch import nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.kind import Tokens
from trainer.methods.inside_blocks import InsideBlocksClassifier, attend, mlp_branch

RANK = 8
"""r. With 8, ViT-B has 0.29 M parameters without the head; Table S4 counts 0.32 M with heads."""


class LoraClassifier(InsideBlocksClassifier):
    """The trunk with `W x + up(down(x))` in place of the joint projection `W x`.

    Attributes:
        updates: `down`, `[L, r, D]`, uniform within `1/√D`, and `up`, `[L, E, r]`, zero, so that
            training starts at the backbone.
        dropout: share of the numbers before `down` that are 0 in a training step.
        is_in_step: whether a training step is computed.
    """

    is_in_step = False

    def __init__(self, backbone: Backbone, num_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__(backbone, num_classes)
        depth, width = backbone.spec.depth, backbone.spec.width
        bound = width**-0.5
        down = torch.empty(depth, RANK, width).uniform_(-bound, bound)
        up = torch.zeros(depth, 3 * backbone.trunk.blocks[0].attn.attn_dim, RANK)
        self.updates = nn.ParameterDict({"down": nn.Parameter(down), "up": nn.Parameter(up)})
        self.dropout = dropout

    def run_block(self, index: int, block: Block, tokens: Tokens) -> Tokens:
        """Return the block's outputs under the updated projection."""
        normed = block.norm1(tokens)
        seen = F.dropout(normed, self.dropout, training=self.is_in_step)
        narrow = F.linear(seen, self.updates["down"][index])
        joint = block.attn.qkv(normed) + F.linear(narrow, self.updates["up"][index])
        tokens = tokens + attend(block, joint)
        return tokens + mlp_branch(block, tokens)
