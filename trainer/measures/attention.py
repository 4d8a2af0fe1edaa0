"""Where the read-out looks: attention to patches, prompts and special tokens, block by block.

Every weight of every head is held, in float64: for single images and small batches.

Axis letters: B batch, T tokens, R rows read, N patches, P prompts, S special tokens (class token
and registers), L layers, h heads, d head width, G W the patch grid.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.known import not_plain
from adapters.vit.prompting import rows_read
from trainer.errors import DataError
from trainer.measures.prompted_inputs import BlockInput, prompted_inputs


@dataclass(frozen=True)
class ReadOutAttention:
    """Attention weights of what the head reads; over all keys of a head they sum to 1.

    Attributes:
        patches: to the patch tokens, where they are in the image.
        prompts: to the prompts, 0 in blocks that have none; P is 0 for a bare trunk.
        special: to the class token and registers.
    """

    patches: Float64[Tensor, "B L h G W"]
    prompts: Float64[Tensor, "B L h P"]
    special: Float64[Tensor, "B L h S"]

    @property
    def last_map(self) -> Float64[Tensor, "B G W"]:
        """The last block's attention to patches, mean over heads; sums to at most 1."""
        return self.patches[:, -1].mean(dim=1)

    @property
    def prompt_share(self) -> Float64[Tensor, "B L"]:
        """How much of the attention goes to prompts, mean over heads, in [0, 1]."""
        return self.prompts.sum(dim=-1).mean(dim=-1)


def read_out_attention(
    backbone: Backbone,
    prompts: Float[Tensor, "M P D"] | None,
    pixels: Float[Tensor, "B 3 H W"],
) -> ReadOutAttention:
    """Return the attention of the rows that the backbone's pooling reads, with prompts in place.

    Under `cls` that is the class token's; otherwise it is the mean over the rows that are pooled:
    patch tokens, and prompts where they count. The same rows are followed through all
    blocks, though only those of the last one are read.

    Args:
        backbone: frozen.
        prompts: deep `[M, P, D]`, of the last M blocks; shallow `[1, P, D]`; or None for a bare
            trunk.
        pixels: normalised images.

    Raises:
        DataError: the prompts do not fit the backbone.
    """
    special, grid = backbone.trunk.num_prefix_tokens, backbone.trunk.patch_embed.grid_size
    count = special + grid[0] * grid[1]
    rows = rows_read(backbone.trunk, backbone.spec, count)
    layers = [
        _mean_of_read_rows(entering, rows)
        for entering in prompted_inputs(backbone, prompts, pixels)
    ]
    most = layers[-1].shape[-1]
    weights = torch.stack([F.pad(one, (0, most - one.shape[-1])) for one in layers], dim=1)
    return ReadOutAttention(
        patches=weights[..., special:count].unflatten(-1, grid),
        prompts=weights[..., count:],
        special=weights[..., :special],
    )


def attention_weights(
    block: Any, looking: Float[Tensor, "B R D"], seen: Float[Tensor, "B T D"]
) -> Float64[Tensor, "B h R T"]:
    """Return softmax(QKᵀ / √d), how much some tokens of a block's input attend to others.

    Args:
        block: frozen.
        looking: give the queries.
        seen: give the keys; over them each row sums to 1.
    """
    return attention_scores(block, looking, seen).softmax(dim=-1)


def attention_scores(
    block: Any, looking: Float[Tensor, "B R D"], seen: Float[Tensor, "B T D"]
) -> Float64[Tensor, "B h R T"]:
    """Return QKᵀ / √d, what `attention_weights` is the softmax of.

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


def _mean_of_read_rows(entering: BlockInput, rows: slice) -> Float64[Tensor, "B h T"]:
    tokens = torch.cat([entering.tokens, entering.prompts], dim=1)
    with torch.no_grad():
        return attention_weights(entering.block, tokens[:, rows], tokens).mean(dim=2)
