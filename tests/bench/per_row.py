"""A plain trunk in which each row has its own task's LoRA or SSF, in one forward.

Nothing of it is served: it shows what a batch would cost. Every task's tensors lie in one bank, and
a forward gathers those of its rows. LoRA is on queries and values, as grouped products.

Axis letters: S tasks, B batch, L layers, T tokens, r rank, D width, H W pixels.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor

Tokens = Float[Tensor, "B T D"]
Around = Callable[[str, Tokens, Tensor], Tensor]
"""A layer's output, given its name in a block, its input and what it makes of that."""

LAYERS = ("norm1", "qkv", "proj", "norm2", "fc1", "fc2")


class LoraBank:
    """Low-rank updates of many tasks.

    Attributes:
        down: `[S, L, 2r, D]`, those of queries before those of values.
        up: `[S, L, 2, D, r]`.
    """

    def __init__(self, trunk: VisionTransformer, tasks: int, rank: int) -> None:
        generator = torch.Generator().manual_seed(rank)
        depth, width = len(trunk.blocks), trunk.embed_dim
        self.down = torch.randn(tasks, depth, 2 * rank, width, generator=generator) * 0.02
        self.up = torch.randn(tasks, depth, 2, width, rank, generator=generator) * 0.02

    def rows(self, tasks: Int64[Tensor, " B"], layer: int) -> Around:
        """Return what a block's layers become for rows of these tasks."""
        down = self.down[tasks, layer].mT
        queries, values = self.up[tasks, layer].mT.unbind(dim=1)

        def around(name: str, entered: Tokens, out: Tensor) -> Tensor:
            if name != "qkv":
                return out
            low = torch.bmm(entered, down)
            for_queries, for_values = low.chunk(2, dim=-1)
            plain_queries, keys, plain_values = out.chunk(3, dim=-1)
            return torch.cat(
                [
                    torch.baddbmm(plain_queries, for_queries, queries),
                    keys,
                    torch.baddbmm(plain_values, for_values, values),
                ],
                dim=-1,
            )

        return around

    def merged(self, trunk: VisionTransformer, task: int) -> dict[str, Tensor]:
        """Return the trunk's weights with one task's updates in them."""
        weights = {}
        for layer, block in enumerate(trunk.blocks):
            down, up = self.down[task, layer].chunk(2), self.up[task, layer]
            queries, values = (one @ other for one, other in zip(up, down, strict=True))
            update = torch.cat([queries, torch.zeros_like(queries), values])
            weights[f"blocks.{layer}.attn.qkv.weight"] = block.attn.qkv.weight + update
        return weights


class ScaleBank:
    """Scales and shifts of every layer's output, of many tasks."""

    def __init__(self, trunk: VisionTransformer, tasks: int) -> None:
        generator = torch.Generator().manual_seed(0)
        block = trunk.blocks[0]
        widths = {name: _layer(block, name).weight.shape[0] for name in LAYERS}
        self._scales, self._shifts = (
            {
                name: around
                + 0.02 * torch.randn(tasks, len(trunk.blocks), 1, width, generator=generator)
                for name, width in widths.items()
            }
            for around in (1.0, 0.0)
        )

    def rows(self, tasks: Int64[Tensor, " B"], layer: int) -> Around:
        """Return what a block's layers become for rows of these tasks."""

        def around(name: str, entered: Tokens, out: Tensor) -> Tensor:
            scale, shift = self._scales[name][tasks, layer], self._shifts[name][tasks, layer]
            return torch.addcmul(shift, out, scale)

        return around


def per_row(
    trunk: VisionTransformer, bank: LoraBank | ScaleBank, tasks: Int64[Tensor, " B"]
) -> Callable[[Float[Tensor, "B 3 H W"]], Float[Tensor, "B D"]]:
    """Return the forward of a plain trunk whose class token is read, each row by its own task."""

    def forward(pixels: Tensor) -> Tensor:
        tokens = trunk._pos_embed(trunk.patch_embed(pixels))
        for layer, block in enumerate(trunk.blocks):
            tokens = _run(block, tokens, bank.rows(tasks, layer))
        return trunk.norm(tokens)[:, 0]

    return forward


def _run(block: Block, tokens: Tokens, around: Around) -> Tokens:
    def through(name: str, entered: Tensor) -> Tensor:
        return around(name, entered, _layer(block, name)(entered))

    normed = through("norm1", tokens)
    joined = through("qkv", normed).unflatten(-1, (3, block.attn.num_heads, -1))
    queries, keys, values = joined.permute(2, 0, 3, 1, 4).unbind()
    mixed = F.scaled_dot_product_attention(queries, keys, values)
    tokens = tokens + through("proj", mixed.transpose(1, 2).flatten(2))
    hidden = block.mlp.act(through("fc1", through("norm2", tokens)))
    return tokens + through("fc2", hidden)


def _layer(block: Block, name: str) -> Any:
    owner = {"qkv": block.attn, "proj": block.attn, "fc1": block.mlp, "fc2": block.mlp}
    return getattr(owner.get(name, block), name)
