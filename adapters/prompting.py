"""How prompts act on the frozen trunk: one exact forward for every form of prompt.

Deep prompts never become tokens. Their outputs are thrown away after each block (paper eq. 6
and 13), so they act only as extra keys and values, `K = W_k LN(p)` and `V = W_v LN(p)`, which
depend on the task alone: `prefix_of` computes them once per adapter. Two forms do need tokens:
shallow prompts, whose outputs travel on, and the last block of deep prompts whose outputs the
read-out averages. The last block computes only the rows that are read.

Axis letters: B batch, T tokens, N patches, P prompts, L layers, D width, h heads, d head width.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import Attention
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor

from adapters.spec import BackboneSpec

Tokens = Float[Tensor, "B T D"]


@dataclass(frozen=True)
class DeepPrompts:
    """Prompts of every block: keys and values, and the last block's tokens if it is averaged."""

    prefix: Float[Tensor, "B L 2 h P d"]
    last: Float[Tensor, "B P D"] | None


@dataclass(frozen=True)
class ShallowPrompts:
    """Prompts that enter the first block as tokens and stay."""

    tokens: Float[Tensor, "B P D"]


Prompts = DeepPrompts | ShallowPrompts | None


def prefix_of(
    trunk: VisionTransformer, prompts: Float[Tensor, "L P D"]
) -> Float[Tensor, "L 2 h P d"]:
    """Return the keys and values that deep prompts contribute to each block."""
    layers = []
    for block, layer in zip(trunk.blocks, prompts, strict=True):
        normed = block.norm1(layer)[None]
        layers.append(torch.cat(_keys_values(block.attn, normed)))
    return torch.stack(layers)


def features(
    trunk: VisionTransformer,
    spec: BackboneSpec,
    pixels: Float[Tensor, "B 3 H W"],
    prompts: Prompts,
) -> Float[Tensor, "B D"]:
    """Run the frozen trunk under per-row prompts and pool one feature per row.

    Args:
        trunk: the backbone.
        spec: its pooling and final norm decide what is read.
        pixels: normalised images.
        prompts: of every row, all of one form and length; None for a bare trunk.
    """
    tokens = embed(trunk, pixels)
    first, count = trunk.num_prefix_tokens, tokens.shape[1]
    if isinstance(prompts, ShallowPrompts):
        tokens = torch.cat([tokens, prompts.tokens], dim=1)
    prefix = prompts.prefix if isinstance(prompts, DeepPrompts) else None
    for i, block in enumerate(trunk.blocks[:-1]):
        tokens = run_block(block, tokens, prefix=None if prefix is None else prefix[:, i])
    last = None if prefix is None else prefix[:, -1]
    if spec.pooling == "mean-with-prompts":
        if isinstance(prompts, DeepPrompts):
            assert prompts.last is not None, "this read-out needs the last block's prompts"
            tokens, last = torch.cat([tokens, prompts.last], dim=1), None
        rows = slice(first, None)
    else:
        rows = slice(0, 1) if spec.pooling == "cls" else slice(first, count)
    return _pool(trunk, spec, run_block(trunk.blocks[-1], tokens, prefix=last, rows=rows))


def embed(trunk: VisionTransformer, pixels: Float[Tensor, "B 3 H W"]) -> Tokens:
    """Return the first block's input: class token, registers if any, and patch tokens."""
    return trunk._pos_embed(trunk.patch_embed(pixels))


def run_block(
    block: Block,
    tokens: Tokens,
    *,
    prefix: Float[Tensor, "B 2 h P d"] | None = None,
    rows: slice = slice(None),
) -> Float[Tensor, "B R D"]:
    """Run one pre-norm block; compute the outputs of `rows` only, attending to everything.

    Args:
        block: frozen.
        tokens: the block's input.
        prefix: extra keys and values that every query also attends to.
        rows: which tokens' outputs are wanted.
    """
    normed = block.norm1(tokens)
    keys, values = _keys_values(block.attn, normed)
    if prefix is not None:
        keys = torch.cat([prefix[:, 0], keys], dim=2)
        values = torch.cat([prefix[:, 1], values], dim=2)
    queries = _queries(block.attn, normed[:, rows])
    mixed = F.scaled_dot_product_attention(queries, keys, values)
    kept = tokens[:, rows] + block.ls1(block.attn.proj(mixed.transpose(1, 2).flatten(2)))
    return kept + block.ls2(block.mlp(block.norm2(kept)))


def _queries(attn: Attention, normed: Tokens) -> Float[Tensor, "B h T d"]:
    weight, bias = _rows_of_qkv(attn, 0, 1)
    return attn.q_norm(_split_heads(attn, F.linear(normed, weight, bias)))


def _keys_values(
    attn: Attention, normed: Tokens
) -> tuple[Float[Tensor, "B h T d"], Float[Tensor, "B h T d"]]:
    weight, bias = _rows_of_qkv(attn, 1, 3)
    keys, values = F.linear(normed, weight, bias).chunk(2, dim=-1)
    return attn.k_norm(_split_heads(attn, keys)), _split_heads(attn, values)


def _rows_of_qkv(attn: Attention, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
    part = slice(start * attn.attn_dim, stop * attn.attn_dim)
    bias = attn.qkv.bias
    return attn.qkv.weight[part], None if bias is None else bias[part]


def _split_heads(attn: Attention, tokens: Tokens) -> Float[Tensor, "B h T d"]:
    return tokens.unflatten(-1, (attn.num_heads, attn.head_dim)).transpose(1, 2)


def _pool(
    trunk: VisionTransformer, spec: BackboneSpec, tokens: Float[Tensor, "B R D"]
) -> Float[Tensor, "B D"]:
    if spec.final_norm == "before-pooling":
        return trunk.norm(tokens).mean(dim=1)
    return trunk.norm(tokens.mean(dim=1))
