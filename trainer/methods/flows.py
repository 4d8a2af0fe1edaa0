"""SNF (Wang et al. 2023): a map by a normalizing flow on every shortcut of the trunk.

"Adapting shortcut with normalizing flow: an efficient tuning framework for visual recognition", by
the authors' code: an affine map, then some planar flows (Rezende and Mohamed 2015, eq. 10). Nothing
holds a flow invertible there, and the determinants are not used. With one flow ViT-B/16 has the
0.07 M parameters that the paper's Table 3 counts besides the head, and with six the 0.25 M of its
Table S4. The 0.036 M of SNF's abstract are the affine maps alone.
Axis letters: B batch, T tokens, L layers, k planar flows of a shortcut, D width.
"""

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.kind import Tokens
from trainer.methods.inside_blocks import InsideBlocksClassifier, attention_branch, mlp_branch

NUM_FLOWS = 1
"""k: what the count of the paper's Table 3 comes from."""
_BOUND = 1e-2


class FlowClassifier(InsideBlocksClassifier):
    """A shortcut carries a flow of z in place of z.

    All numbers start within 0.01 of zero, so training starts near the backbone.

    Attributes:
        flows: a flow of each attention and each MLP, in the order of the trunk.
    """

    def __init__(self, backbone: Backbone, num_classes: int, *, num_flows: int = NUM_FLOWS) -> None:
        super().__init__(backbone, num_classes)
        width, depth = backbone.spec.width, backbone.spec.depth
        self.flows = nn.ModuleList(Flow(width, num_flows) for _ in range(2 * depth))

    def run_block(self, index: int, block: Block, tokens: Tokens) -> Tokens:
        """Return the block's outputs with flows on its shortcuts."""
        tokens = self.flows[2 * index](tokens) + attention_branch(block, tokens)
        return self.flows[2 * index + 1](tokens) + mlp_branch(block, tokens)


class Flow(nn.Module):
    """`exp(log_scale)·z + shift`, then k times `z + push·tanh(look·z + bias)`.

    Attributes:
        log_scale: `[D]`.
        shift: `[D]`.
        push: of each planar flow, `[D]`: where it moves a token.
        look: likewise, `[D]`: the direction that it looks along.
        bias: likewise, a number.
    """

    def __init__(self, width: int, num_flows: int) -> None:
        super().__init__()
        self.log_scale, self.shift = _start(width), _start(width)
        self.push = nn.ParameterList(_start(width) for _ in range(num_flows))
        self.look = nn.ParameterList(_start(width) for _ in range(num_flows))
        self.bias = nn.ParameterList(_start(1) for _ in range(num_flows))

    def forward(self, tokens: Tokens) -> Tokens:
        """Return the tokens after the flow."""
        tokens = self.log_scale.exp() * tokens + self.shift
        for push, look, bias in zip(self.push, self.look, self.bias, strict=True):
            tokens = tokens + push * torch.tanh(F.linear(tokens, look[None], bias))
        return tokens


def _start(size: int) -> nn.Parameter:
    start: Tensor = torch.empty(size).uniform_(-_BOUND, _BOUND)
    return nn.Parameter(start)
