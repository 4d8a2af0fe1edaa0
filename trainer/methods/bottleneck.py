"""Adapter tuning (Houlsby et al. 2019): a bottleneck in each block, on what the MLP adds.

One a block, as in VPT's benchmark, whose numbers the paper's Table 3 repeats.

Axis letters: B batch, T tokens, D width, r bottleneck.
"""

from timm.models.vision_transformer import Block
from torch import nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.kind import Tokens
from trainer.methods.inside_blocks import InsideBlocksClassifier, attention_branch, mlp_branch

REDUCTION = 64
"""D / r. With 64, ViT-B has 0.23 M of them, the count of Tables 3 and S4 without heads."""
_STD = 1e-2


def bottleneck_width(width: int) -> int:
    """Return r for a trunk of width D, at least 1."""
    return max(1, width // REDUCTION)


class BottleneckClassifier(InsideBlocksClassifier):
    """What the MLP adds, m, becomes `m + up(GELU(down(m)))`.

    `up` starts at zero, so training starts at the backbone, and `down` is normal (std 0.01), as in
    Houlsby et al.

    Args:
        backbone: frozen.
        num_classes: C.
        zero_start: `down` starts at zero too, as in VPT's code. From there no gradient ever reaches
            a matrix or the bias of `down`: what is learned is a bias a block, that of `up`.
    """

    def __init__(self, backbone: Backbone, num_classes: int, *, zero_start: bool = False) -> None:
        super().__init__(backbone, num_classes)
        self.adapters = nn.ModuleList(
            _bottleneck(backbone.spec.width, 0.0 if zero_start else _STD)
            for _ in backbone.trunk.blocks
        )

    def run_block(self, index: int, block: Block, tokens: Tokens) -> Tokens:
        """Return the block's outputs with its bottleneck behind the MLP."""
        tokens = tokens + attention_branch(block, tokens)
        added = mlp_branch(block, tokens)
        return tokens + added + self.adapters[index](added)


def _bottleneck(width: int, std: float) -> nn.Sequential:
    narrow = bottleneck_width(width)
    down, up = nn.Linear(width, narrow), nn.Linear(narrow, width)
    nn.init.normal_(down.weight, std=std)
    nn.init.zeros_(down.bias)
    nn.init.zeros_(up.weight)
    nn.init.zeros_(up.bias)
    return nn.Sequential(down, nn.GELU(), up)
