"""GateVPT (Yoo et al. 2023): shallow prompts that each block changes as far as its gate lets it.

"Improving visual prompt tuning for self-supervised vision transformers". As in the authors' code,
the last block has no gate. Axis letters: B batch, T tokens, L layers, P prompts, D width.
"""

import torch
from jaxtyping import Float
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.kind import Tokens
from adapters.vit.prompting import embed, pool, rows_read
from trainer.methods.inside_blocks import attend, mlp_branch
from trainer.methods.prompted import PromptOwner

_FIRST_GATE = -5.0
"""Before the sigmoid: at first a block changes its prompts by less than one hundredth."""
_TEMPERATURES = (0.01, 10.0)


class GatedClassifier(PromptOwner):
    """Shallow prompts, a gate of each block but the last, and a temperature of each block.

    Block i turns prompts p into `g_i·block_i(p) + (1 - g_i)·p` with `g_i` the sigmoid of its
    gate, and divides its attention scores by its temperature.

    Attributes:
        gates: `[L - 1]`, before the sigmoid.
        temperatures: `[L]`, used within 0.01 and 10; they start at 1.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        prompts: Float[Tensor, "1 P D"],
        *,
        frozen: bool = False,
    ) -> None:
        super().__init__(backbone, num_classes, prompts, frozen=frozen)
        depth = backbone.spec.depth
        self.gates = nn.Parameter(torch.full((depth - 1,), _FIRST_GATE))
        self.temperatures = nn.Parameter(torch.ones(depth))

    def features(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Return what the head sees under the gated prompts."""
        trunk, spec = self.backbone.trunk, self.backbone.spec
        tokens = embed(trunk, pixels)
        count = tokens.shape[1]
        tokens = torch.cat([tokens, self.prompts.expand(len(pixels), -1, -1)], dim=1)
        gates, temperatures = self.gates.sigmoid(), _bounded(self.temperatures)
        for i, block in enumerate(trunk.blocks):
            before = tokens[:, count:]
            tokens = _run_at(block, tokens, temperatures[i])
            if i < len(gates):
                prompts = before + gates[i] * (tokens[:, count:] - before)
                tokens = torch.cat([tokens[:, :count], prompts], dim=1)
        return pool(trunk, spec, tokens[:, rows_read(trunk, spec, count)])


def _bounded(temperatures: Float[Tensor, " L"]) -> Float[Tensor, " L"]:
    """Return them within their bounds, with gradients as if there were none, so none gets stuck."""
    low, high = _TEMPERATURES
    return temperatures + (temperatures.clamp(low, high) - temperatures).detach()


def _run_at(block: Block, tokens: Tokens, temperature: Float[Tensor, ""]) -> Tokens:
    """Run a block whose attention scores are divided by a temperature."""
    joint = block.attn.qkv(block.norm1(tokens))
    tokens = tokens + attend(block, joint, temperature)
    return tokens + mlp_branch(block, tokens)
