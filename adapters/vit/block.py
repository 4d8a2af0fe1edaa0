"""One frozen pre-norm block, attending to extra keys and values, computing only what is read.

Keys and values travel together as `[B, T, 2, h, d]`, as the projection writes them, so that a
prefix is joined to them by one copy. Knows nothing of prompts, pooling or adapters.

Axis letters: B batch, T tokens, P prefix, S = P + T keys, R rows read, D width, h heads, d head
width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import Attention
from timm.models.vision_transformer import Block
from torch import Tensor, nn

Tokens = Float[Tensor, "B T D"]
KeysValues = Float[Tensor, "B T 2 h d"]
Prefix = Float[Tensor, "B P 2 h d"]
KeyMask = Float[Tensor, "B 1 1 S"]


def run_block(
    block: Block,
    tokens: Tokens,
    *,
    prefix: Prefix | None = None,
    mask: KeyMask | None = None,
    rows: slice = slice(None),
) -> Float[Tensor, "B R D"]:
    """Return the block's outputs for some rows, which attend to the prefix and to all tokens.

    Args:
        block: frozen.
        tokens: the block's input.
        prefix: extra keys and values, before the tokens' own.
        mask: added to the scores of all keys: 0, or minus infinity for a key that is not there.
        rows: which tokens' outputs are wanted.
    """
    attn, normed = block.attn, block.norm1(tokens)
    if rows == slice(None):
        queries, joined = _queries_keys_values(attn, normed)
    else:
        queries, joined = _queries(attn, normed[:, rows]), keys_values(attn, normed)
    if prefix is not None:
        joined = torch.cat([prefix, joined], dim=1)
    keys, values = joined.unbind(dim=2)
    mixed = _attend(queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), mask)
    return after_attention(block, tokens[:, rows], mixed.transpose(1, 2).flatten(2))


def read_first_row(
    block: Block,
    tokens: Tokens,
    *,
    prefix: Prefix | None = None,
    mask: KeyMask | None = None,
) -> Float[Tensor, "B 1 D"]:
    """Return the block's output for the first token alone, at almost no cost.

    One query needs no keys and values for every token: `q · (W_k n + b_k)` is
    `(W_k^T q) · n + q · b_k`, and the values' projection may follow the weighted sum. Both
    spare the two largest products of the attention. Arguments are those of `run_block`.
    """
    attn = block.attn
    if not isinstance(attn.k_norm, nn.Identity):
        return run_block(block, tokens, prefix=prefix, mask=mask, rows=slice(0, 1))
    normed = block.norm1(tokens)
    query = _queries(attn, normed[:, :1])[:, 0]
    (key_weight, key_bias), (value_weight, value_bias) = (_projection(attn, i) for i in (1, 2))
    scores = torch.einsum("bhd,hdc->bhc", query, key_weight) @ normed.transpose(1, 2)
    if key_bias is not None:
        scores = scores + (query * key_bias).sum(dim=-1, keepdim=True)
    if prefix is not None:
        scores = torch.cat([torch.einsum("bhd,bphd->bhp", query, prefix[:, :, 0]), scores], dim=-1)
    scores = scores * attn.head_dim**-0.5
    if mask is not None:
        scores = scores + mask[:, 0]
    weights = scores.softmax(dim=-1)
    on_prefix, on_tokens = weights.tensor_split([weights.shape[-1] - tokens.shape[1]], dim=-1)
    mixed = torch.einsum("bhc,hdc->bhd", on_tokens @ normed, value_weight)
    if value_bias is not None:
        mixed = mixed + on_tokens.sum(dim=-1, keepdim=True) * value_bias
    if prefix is not None:
        mixed = mixed + torch.einsum("bhp,bphd->bhd", on_prefix, prefix[:, :, 1])
    return after_attention(block, tokens[:, :1], mixed.flatten(1)[:, None])


def keys_values(attn: Attention, normed: Tokens) -> KeysValues:
    """Return the keys and values of tokens that the block's first norm has seen."""
    weight, bias = _rows_of_qkv(attn, 1, 3)
    return _norm_keys(attn, F.linear(normed, weight, bias).unflatten(-1, (2, *_heads(attn))))


def after_attention(
    block: Block, kept: Float[Tensor, "B R D"], mixed: Float[Tensor, "B R A"]
) -> Float[Tensor, "B R D"]:
    """Return the block's outputs for the rows that are kept, given what attention made of them."""
    kept = kept + block.ls1(block.attn.proj(mixed))
    return kept + block.ls2(block.mlp(block.norm2(kept)))


def _queries_keys_values(
    attn: Attention, normed: Tokens
) -> tuple[Float[Tensor, "B T h d"], KeysValues]:
    queries, joined = attn.qkv(normed).unflatten(-1, (3, *_heads(attn))).split([1, 2], dim=2)
    return attn.q_norm(queries[:, :, 0]), _norm_keys(attn, joined)


def _queries(attn: Attention, normed: Tokens) -> Float[Tensor, "B T h d"]:
    weight, bias = _rows_of_qkv(attn, 0, 1)
    return attn.q_norm(F.linear(normed, weight, bias).unflatten(-1, _heads(attn)))


def _norm_keys(attn: Attention, joined: KeysValues) -> KeysValues:
    if isinstance(attn.k_norm, nn.Identity):
        return joined
    return torch.stack([attn.k_norm(joined[:, :, 0]), joined[:, :, 1]], dim=2)


def _attend(
    queries: Float[Tensor, "B h R d"],
    keys: Float[Tensor, "B h S d"],
    values: Float[Tensor, "B h S d"],
    mask: KeyMask | None,
) -> Float[Tensor, "B h R d"]:
    """Return the values weighted by attention.

    torch's fused attention on the CPU is slow backwards in bfloat16: with 65 queries and 73 keys it
    takes five times as long as the three steps it is made of. Those are taken where a gradient
    is wanted; otherwise it is the fastest.
    """
    has_gradient = torch.is_grad_enabled() and (queries.requires_grad or keys.requires_grad)
    if not (has_gradient and queries.device.type == "cpu" and queries.dtype == torch.bfloat16):
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(2, 3)
    weights = (scores if mask is None else scores + mask).softmax(dim=-1, dtype=torch.float32)
    return weights.to(values.dtype) @ values


def _projection(
    attn: Attention, which: int
) -> tuple[Float[Tensor, "h d D"], Float[Tensor, "h d"] | None]:
    """Return the weight and bias of queries, keys or values (0, 1, 2), one matrix per head."""
    weight, bias = _rows_of_qkv(attn, which, which + 1)
    heads = _heads(attn)
    return weight.unflatten(0, heads), None if bias is None else bias.unflatten(0, heads)


def _rows_of_qkv(attn: Attention, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
    part = slice(start * attn.attn_dim, stop * attn.attn_dim)
    bias = attn.qkv.bias
    return attn.qkv.weight[part], None if bias is None else bias[part]


def _heads(attn: Attention) -> tuple[int, int]:
    return attn.num_heads, attn.head_dim
