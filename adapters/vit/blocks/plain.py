"""Blocks of timm's `VisionTransformer`; see `Kind` for the methods and the axis letters."""

import torch
from jaxtyping import Float
from timm.layers import Attention
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from adapters.vit.blocks.kind import KeysValues, Queries, Tokens
from adapters.vit.blocks.projection import Projection, project, projection, scores_through


class PlainBlocks:
    """One joint projection; norms of queries and keys, if any."""

    def heads(self, block: Block) -> tuple[int, int]:
        """See `Kind.heads`."""
        return block.attn.num_heads, block.attn.head_dim

    def queries_keys_values(self, block: Block, normed: Tokens) -> tuple[Queries, KeysValues]:
        """See `Kind.queries_keys_values`."""
        attn = block.attn
        joined = attn.qkv(normed).unflatten(-1, (3, *self.heads(block)))
        queries, joined = joined.split([1, 2], dim=2)
        return attn.q_norm(queries[:, :, 0]), _norm_keys(attn, joined)

    def queries(self, block: Block, normed: Float[Tensor, "B R D"], place: int) -> Queries:
        """See `Kind.queries`."""
        return block.attn.q_norm(project(block.attn, normed, 0, 1)[:, :, 0])

    def keys_values(self, block: Block, normed: Tokens, *, placed: bool) -> KeysValues:
        """See `Kind.keys_values`."""
        return _norm_keys(block.attn, project(block.attn, normed, 1, 3))

    def scores(
        self, block: Block, query: Float[Tensor, "B h d"], normed: Tokens
    ) -> Float[Tensor, "B h T"]:
        """See `Kind.scores`."""
        attn = block.attn
        if isinstance(attn.k_norm, nn.Identity):
            return scores_through(projection(attn, 1), query, normed)
        keys = attn.k_norm(project(attn, normed, 1, 2)[:, :, 0])
        return torch.einsum("bhd,bthd->bht", query, keys)

    def values(self, block: Block) -> Projection:
        """See `Kind.values`."""
        return projection(block.attn, 2)

    def bias(self, block: Block, normed: Tokens, rows: slice) -> None:
        """See `Kind.bias`."""

    def after(
        self, block: Block, kept: Float[Tensor, "B R D"], mixed: Float[Tensor, "B R A"]
    ) -> Float[Tensor, "B R D"]:
        """See `Kind.after`."""
        kept = kept + block.ls1(block.attn.proj(mixed))
        return kept + block.ls2(block.mlp(block.norm2(kept)))


def _norm_keys(attn: Attention, joined: KeysValues) -> KeysValues:
    if isinstance(attn.k_norm, nn.Identity):
        return joined
    return torch.stack([attn.k_norm(joined[:, :, 0]), joined[:, :, 1]], dim=2)
