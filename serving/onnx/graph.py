"""The trunk as its graph has it: queries, keys and values are three products.

Of one packed product a runtime would copy the three parts, and keys and values once more when they
join the prefix. The last block computes what is read alone, in the form that torch runs.
Axis letters: B batch, L layers, P prompts, T tokens, D width, h heads, d head width, H W pixels.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import KeyMask, Prefix, run_block
from adapters.vit.blocks.kind import Tokens
from adapters.vit.blocks.known import PLAIN, kind_of
from adapters.vit.prompting import DeepPrompts, embed, prompted_features


class PromptedTrunk(nn.Module):
    """Pixels, keys and values in, features out, for any rows and prompts.

    Args:
        backbone: float32; its own read-out is computed.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.trunk = backbone.trunk
        self.spec = backbone.spec
        self.blocks = nn.ModuleList(map(_exportable, backbone.trunk.blocks[:-1]))

    def forward(
        self,
        pixels: Float[Tensor, "B 3 H W"],
        prefix: Float[Tensor, "B L P 2 h d"],
        mask: Float[Tensor, "B L P"],
        last: Float[Tensor, "B Q D"] | None = None,
    ) -> Float[Tensor, "B D"]:
        """Return features of deep prompts; the arguments are fields of `DeepPrompts`."""
        tokens = embed(self.trunk, pixels)
        masks = F.pad(mask, (0, tokens.shape[1]))[:, :, None, None]
        for i, block in enumerate(self.blocks):
            tokens = block(tokens, prefix[:, i], masks[:, i])
        of_last = DeepPrompts(prefix[:, -1:], mask[:, -1:], last)
        return prompted_features(self.trunk, self.spec, tokens, of_last)


def _exportable(block: nn.Module) -> nn.Module:
    return SplitBlock(block) if kind_of(block) is PLAIN else WholeBlock(block)


class WholeBlock(nn.Module):
    """A block that is not plain, in the form that torch runs."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, tokens: Tokens, prefix: Prefix, mask: KeyMask) -> Tokens:
        """Return the block's outputs."""
        return run_block(self.block, tokens, prefix=prefix, mask=mask)


class SplitBlock(nn.Module):
    """One plain block, for all its rows; see `adapters.vit.blocks.attention.run_block`.

    Args:
        block: frozen; the scale of its scores is moved into the weights of the queries.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.block = block
        self.queries, self.keys, self.values = _split(block.attn.qkv)
        self.scale = block.attn.head_dim**-0.5
        if isinstance(block.attn.q_norm, nn.Identity):
            for parameter in self.queries.parameters():
                parameter.mul_(self.scale)
            self.scale = 1.0

    def forward(self, tokens: Tokens, prefix: Prefix, mask: KeyMask) -> Tokens:
        """Return the block's outputs."""
        attn, normed = self.block.attn, self.block.norm1(tokens)
        queries = attn.q_norm(self._heads(self.queries(normed)))
        keys = attn.k_norm(self._heads(self.keys(normed)))
        keys = torch.cat([prefix[:, :, 0], keys], dim=1)
        values = torch.cat([prefix[:, :, 1], self._heads(self.values(normed))], dim=1)
        if self.scale != 1.0:
            queries = queries * self.scale
        scores = queries.transpose(1, 2) @ keys.permute(0, 2, 3, 1) + mask
        mixed = scores.softmax(dim=-1) @ values.transpose(1, 2)
        return PLAIN.after(self.block, tokens, mixed.transpose(1, 2).flatten(2))

    def _heads(self, projected: Tokens) -> Float[Tensor, "B T h d"]:
        return projected.unflatten(-1, (self.block.attn.num_heads, self.block.attn.head_dim))


@torch.no_grad()
def _split(packed: nn.Linear) -> list[nn.Linear]:
    """Return queries, keys and values as layers of their own."""
    layers = []
    for rows in torch.arange(packed.out_features).chunk(3):
        layer = nn.Linear(packed.in_features, len(rows), bias=packed.bias is not None)
        layer.weight.copy_(packed.weight[rows])
        if packed.bias is not None:
            layer.bias.copy_(packed.bias[rows])
        layers.append(layer.requires_grad_(False))
    return layers
