"""SNF (Wang et al. 2023): an invertible map on every shortcut of the trunk.

"Adapting shortcut with normalizing flow: an efficient tuning framework for visual recognition".
The authors' code is not public. What is taken here: one planar flow (Rezende and Mohamed 2015,
eq. 10) on each of the two shortcuts of a block, which gives ViT-B/16 the 0.036 M parameters that
the abstract names. The paper's Tables 3 and S4 count more, as several flows in a row would have.
Axis letters: B batch, T tokens, L layers, D width.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.kind import Tokens
from trainer.methods.inside_blocks import InsideBlocksClassifier, attention_branch, mlp_branch

_STD = 1e-2
_STAY_AT_ZERO = math.log(math.e - 1)


class FlowClassifier(InsideBlocksClassifier):
    """A shortcut carries `z + u·tanh(w·z + b)` in place of z.

    `u` starts at zero, so training starts at the backbone.

    Attributes:
        flows: a flow of each attention and each MLP, in the order of the trunk.
    """

    def __init__(self, backbone: Backbone, num_classes: int) -> None:
        super().__init__(backbone, num_classes)
        width, depth = backbone.spec.width, backbone.spec.depth
        self.flows = nn.ModuleList(PlanarFlow(width) for _ in range(2 * depth))

    def run_block(self, index: int, block: Block, tokens: Tokens) -> Tokens:
        """Return the block's outputs with flows on its shortcuts."""
        tokens = self.flows[2 * index](tokens) + attention_branch(block, tokens)
        return self.flows[2 * index + 1](tokens) + mlp_branch(block, tokens)


class PlanarFlow(nn.Module):
    """`z + û·tanh(w·z + b)`, invertible under any parameters.

    It is invertible while `w·û > -1`, so û is u with its part along w bent to that side (Rezende
    and Mohamed 2015, A.1), by a softplus shifted so that u = 0 gives û = 0.

    Attributes:
        u: `[D]`, where the flow pushes.
        w: `[D]`, the direction that it looks along.
        b: a number.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.u = nn.Parameter(torch.zeros(width))
        self.w = nn.Parameter(torch.randn(width) * _STD)
        self.b = nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Tokens) -> Tokens:
        """Return the tokens after the flow."""
        seen = torch.tanh(F.linear(tokens, self.w[None], self.b))
        return tokens + self.push() * seen

    def push(self) -> Float[Tensor, " D"]:
        """Return û."""
        along = (self.w * self.u).sum()
        bent = F.softplus(along + _STAY_AT_ZERO) - 1
        return self.u + (bent - along) * self.w / (self.w * self.w).sum()
