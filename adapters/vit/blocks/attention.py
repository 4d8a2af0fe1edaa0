"""One frozen pre-norm block, attending to extra keys and values, computing only what is read.

Knows nothing of prompts' tokens, pooling or adapters; what differs from block to block is in its
kind. Axis letters are those of `kind.py`.
"""

from collections.abc import Iterable
from typing import Any, Final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from adapters.vit.blocks.kind import KeysValues, Tokens
from adapters.vit.blocks.known import kind_of
from adapters.vit.blocks.projection import values_through

Prefix = Float[Tensor, "B P 2 h d"]
KeyMask = Float[Tensor, "B 1 1 S"]
Bias = Float[Tensor, "B 1 D"]

_RECOMPUTED: Final = "is_recomputed"


def run_block(
    block: Any,
    tokens: Tokens,
    *,
    prefix: Prefix | None = None,
    mask: KeyMask | None = None,
    rows: slice = slice(None),
    bias: Bias | None = None,
) -> Float[Tensor, "B R D"]:
    """Return the block's outputs for some rows, which attend to the prefix and to all tokens.

    Args:
        block: frozen, of a kind that we know.
        tokens: the block's input.
        prefix: extra keys and values, before the tokens' own.
        mask: added to the scores of all keys: 0, or minus infinity for a key that is not there.
        rows: which tokens' outputs are wanted.
        bias: added to every token after the attention, before the block's other branch.
    """
    arguments = block, tokens, prefix, mask, rows, bias
    if getattr(block, _RECOMPUTED, False) and torch.is_grad_enabled():
        done: Tensor = checkpoint(_run, *arguments, use_reentrant=False)
        return done
    return _run(*arguments)


def mark_recomputed(blocks: Iterable[Any], *, is_on: bool) -> None:
    """Have `run_block` keep only the inputs of these blocks for gradients, or all it computes.

    Blocks whose weights are exchanged for a forward (`functional_call`) must not be marked: they
    would be computed again with their own.
    """
    for block in blocks:
        setattr(block, _RECOMPUTED, is_on)


def _run(
    block: Any,
    tokens: Tokens,
    prefix: Prefix | None,
    mask: KeyMask | None,
    rows: slice,
    bias: Bias | None,
) -> Float[Tensor, "B R D"]:
    mixed = attended(block, tokens, prefix=prefix, mask=mask, rows=rows)
    return kind_of(block).after(block, _kept(tokens[:, rows], bias), mixed)


def attended(
    block: Any,
    tokens: Tokens,
    *,
    prefix: Prefix | None = None,
    mask: KeyMask | None = None,
    rows: slice = slice(None),
) -> Float[Tensor, "B R A"]:
    """Return what attention makes of the values; arguments are those of `run_block`."""
    kind, normed = kind_of(block), block.norm1(tokens)
    if rows == slice(None):
        queries, joined = kind.queries_keys_values(block, normed)
    else:
        queries = kind.queries(block, normed[:, rows], rows.start or 0)
        joined = kind.keys_values(block, normed, placed=True)
    if prefix is not None:
        joined = torch.cat([prefix, joined], dim=1)
    keys, values = joined.unbind(dim=2)
    added = _added(kind.bias(block, normed, rows), prefix, mask)
    mixed = _attend(queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), added)
    return mixed.transpose(1, 2).flatten(2)


def read_first_row(
    block: Any,
    tokens: Tokens,
    *,
    prefix: Prefix | None = None,
    mask: KeyMask | None = None,
    bias: Bias | None = None,
) -> Float[Tensor, "B 1 D"]:
    """Return the block's output for the first token alone, at almost no cost.

    Values of all tokens are never computed, nor are keys where they are a mere product; see
    `projection.py`. Arguments are those of `run_block`.
    """
    kind, normed = kind_of(block), block.norm1(tokens)
    query = kind.queries(block, normed[:, :1], 0)[:, 0]
    scores = kind.scores(block, query, normed)
    if prefix is not None:
        scores = torch.cat([torch.einsum("bhd,bphd->bhp", query, prefix[:, :, 0]), scores], dim=-1)
    scores = scores * query.shape[-1] ** -0.5
    added = _added(kind.bias(block, normed, slice(0, 1)), prefix, mask)
    if added is not None:
        scores = scores + added[:, :, 0]
    weights = scores.softmax(dim=-1)
    on_prefix, on_tokens = weights.tensor_split([weights.shape[-1] - tokens.shape[1]], dim=-1)
    mixed = values_through(kind.values(block), on_tokens, normed)
    if prefix is not None:
        mixed = mixed + torch.einsum("bhp,bphd->bhd", on_prefix, prefix[:, :, 1])
    return kind.after(block, _kept(tokens[:, :1], bias), mixed.flatten(1)[:, None])


def mean_attention(
    block: Any,
    tokens: Tokens,
    *,
    prefix: Prefix | None = None,
    mask: KeyMask | None = None,
    rows: slice = slice(None),
) -> Float[Tensor, "B S"]:
    """Return how much some rows attend to each key: the mean over these rows and all heads.

    Each row of the result sums to 1, in float32 at least. Images are taken one at a time, so that
    only one has all of its weights in memory. Arguments are those of `run_block`.
    """
    kind, normed = kind_of(block), block.norm1(tokens)
    queries = kind.queries(block, normed[:, rows], rows.start or 0)
    keys = kind.keys_values(block, normed, placed=True)[:, :, 0]
    if prefix is not None:
        keys = torch.cat([prefix[:, :, 0], keys], dim=1)
    exact = torch.promote_types(keys.dtype, torch.float32)
    added = _added(kind.bias(block, normed, rows), prefix, mask)
    added = keys.new_zeros(1, 1, 1, 1) if added is None else added
    of_each = added.to(exact).expand(len(tokens), -1, -1, -1)
    found = []
    for query, key, more in zip(queries.to(exact), keys.to(exact), of_each, strict=True):
        scores = torch.einsum("rhd,shd->hrs", query, key) * query.shape[-1] ** -0.5
        found.append((scores + more).softmax(dim=-1).mean(dim=(0, 1)))
    return torch.stack(found)


def heads_of(block: Any) -> tuple[int, int]:
    """Return h and d, which a prefix of the block has."""
    return kind_of(block).heads(block)


def prompt_keys_values(block: Any, prompts: Tokens) -> KeysValues:
    """Return the keys and values of prompts of the block, which have no place in the image."""
    return kind_of(block).keys_values(block, block.norm1(prompts), placed=False)


def _kept(tokens: Float[Tensor, "B R D"], bias: Bias | None) -> Float[Tensor, "B R D"]:
    """Return what the attention's output is added to; a sum has no order."""
    return tokens if bias is None else tokens + bias


def _added(
    bias: Float[Tensor, "h R T"] | None, prefix: Prefix | None, mask: KeyMask | None
) -> Float[Tensor, "_ _ _ S"] | None:
    """Return what is added to scores: the mask, and the bias, which a prefix has none of."""
    if bias is None:
        return mask
    of_all = bias[None] if prefix is None else F.pad(bias, (prefix.shape[1], 0))[None]
    return of_all if mask is None else of_all + mask


def _attend(
    queries: Float[Tensor, "B h R d"],
    keys: Float[Tensor, "B h S d"],
    values: Float[Tensor, "B h S d"],
    added: Float[Tensor, "_ _ _ S"] | None,
) -> Float[Tensor, "B h R d"]:
    """Return the values weighted by attention.

    torch's fused attention on the CPU is slow backwards in bfloat16: with 65 queries and 73 keys it
    takes five times as long as the three steps it is made of. Those are taken where a gradient
    is wanted; otherwise it is the fastest.
    """
    has_gradient = torch.is_grad_enabled() and (queries.requires_grad or keys.requires_grad)
    if not (has_gradient and queries.device.type == "cpu" and queries.dtype == torch.bfloat16):
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=added)
    scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(2, 3)
    weights = (scores if added is None else scores + added).softmax(dim=-1, dtype=torch.float32)
    return weights.to(values.dtype) @ values
