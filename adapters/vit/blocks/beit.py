"""Blocks of timm's `Beit`: BEiT and BEiT v2; see `Kind` for the methods and the axis letters."""

import torch.nn.functional as F
from jaxtyping import Float
from timm.models.beit import Block
from torch import Tensor

from adapters.vit.blocks.gains import add_branches
from adapters.vit.blocks.kind import KeysValues, Queries, Tokens
from adapters.vit.blocks.projection import Projection, project, projection, scores_through


class BeitBlocks:
    """One joint projection; a learned bias of each pair of places, which prompts have none of."""

    def heads(self, block: Block) -> tuple[int, int]:
        """See `Kind.heads`."""
        heads = block.attn.num_heads
        return heads, len(block.attn.qkv.weight) // (3 * heads)

    def queries_keys_values(self, block: Block, normed: Tokens) -> tuple[Queries, KeysValues]:
        """See `Kind.queries_keys_values`."""
        queries, joined = project(block.attn, normed, 0, 3).split([1, 2], dim=2)
        return queries[:, :, 0], joined

    def queries(self, block: Block, normed: Float[Tensor, "B R D"], place: int) -> Queries:
        """See `Kind.queries`."""
        return project(block.attn, normed, 0, 1)[:, :, 0]

    def keys_values(self, block: Block, normed: Tokens, *, placed: bool) -> KeysValues:
        """See `Kind.keys_values`."""
        return project(block.attn, normed, 1, 3)

    def scores(
        self, block: Block, query: Float[Tensor, "B h d"], normed: Tokens
    ) -> Float[Tensor, "B h T"]:
        """See `Kind.scores`."""
        return scores_through(projection(block.attn, 1), query, normed)

    def values(self, block: Block) -> Projection:
        """See `Kind.values`."""
        return projection(block.attn, 2)

    def bias(self, block: Block, normed: Tokens, rows: slice) -> Float[Tensor, "h R T"] | None:
        """See `Kind.bias`."""
        table = block.attn.relative_position_bias_table
        if table is None:
            return None
        placed = table[block.attn.relative_position_index].permute(2, 0, 1)
        prompts = normed.shape[1] - placed.shape[-1]
        return F.pad(placed, (0, prompts, 0, prompts))[:, rows]

    def after(
        self, block: Block, kept: Float[Tensor, "B R D"], mixed: Float[Tensor, "B R A"]
    ) -> Float[Tensor, "B R D"]:
        """See `Kind.after`."""
        return add_branches(block, kept, block.attn.proj(mixed))
