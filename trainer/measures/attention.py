"""How much some tokens of a plain block look at others: its scores, before the softmax.

Where a whole adapter looks is `adapters.vit.prompting.where_it_looks`.
Axis letters: B batch, T tokens, R tokens that look, h heads, d head width, D width.
"""

from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from adapters.vit.blocks.known import not_plain
from trainer.errors import DataError


def attention_scores(
    block: Any, looking: Float[Tensor, "B R D"], seen: Float[Tensor, "B T D"]
) -> Float64[Tensor, "B h R T"]:
    """Return QKᵀ / √d, what attention is the softmax of.

    Args:
        block: frozen.
        looking: give the queries.
        seen: give the keys.

    Raises:
        DataError: the block is not a plain ViT's.
    """
    other = not_plain([block])
    if other is not None:
        raise DataError(
            f"attention of blocks of type {other}: expected those of a plain ViT, "
            "whose scores are mere products; measure it on another backbone"
        )
    queries, keys = _projected(block, looking, 0), _projected(block, seen, 1)
    scores = torch.einsum("brhd,bthd->bhrt", block.attn.q_norm(queries), block.attn.k_norm(keys))
    return scores.double() * block.attn.scale


def _projected(block: Any, tokens: Float[Tensor, "B T D"], which: int) -> Float[Tensor, "B T h d"]:
    attn = block.attn
    joined = attn.qkv(block.norm1(tokens)).unflatten(-1, (3, attn.num_heads, attn.head_dim))
    return joined[:, :, which]
