"""The joint projection to queries, keys and values, and how one query goes through it.

One query needs no keys and values for every token: `q · (W_k n + b_k)` is
`(W_k^T q) · n + q · b_k`, and the values' projection may follow the weighted sum. Both spare the
two largest products of the attention.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


class Projection(NamedTuple):
    """A linear map from tokens to what each head has of them.

    Attributes:
        weight: one matrix per head.
        bias: likewise, if it has any.
    """

    weight: Float[Tensor, "h d D"]
    bias: Float[Tensor, "h d"] | None


def project(
    attn: Any, normed: Float[Tensor, "B T D"], start: int, stop: int
) -> Float[Tensor, "B T _ h d"]:
    """Return some of queries, keys and values (0, 1, 2), as `qkv` makes them of tokens."""
    weight, bias = _rows_of_qkv(attn, start, stop)
    return F.linear(normed, weight, bias).unflatten(-1, (stop - start, attn.num_heads, -1))


def projection(attn: Any, which: int) -> Projection:
    """Return what makes queries, keys or values (0, 1, 2)."""
    weight, bias = _rows_of_qkv(attn, which, which + 1)
    heads = (attn.num_heads, -1)
    return Projection(
        weight.unflatten(0, heads), None if bias is None else bias.unflatten(0, heads)
    )


def joint_bias(attn: Any) -> Float[Tensor, " E"] | None:
    """Return the bias of all three; since BEiT, some blocks have none of keys, and name the others.

    It is theirs to add: their `qkv` has none.
    """
    if getattr(attn, "q_bias", None) is None:
        return attn.qkv.bias
    return torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])


def scores_through(
    keys: Projection, query: Float[Tensor, "B h d"], normed: Float[Tensor, "B T D"]
) -> Float[Tensor, "B h T"]:
    """Return `q · k` of one query and all tokens, whose keys are never computed."""
    scores = torch.einsum("bhd,hdc->bhc", query, keys.weight) @ normed.transpose(1, 2)
    if keys.bias is None:
        return scores
    return scores + (query * keys.bias).sum(dim=-1, keepdim=True)


def values_through(
    values: Projection, weights: Float[Tensor, "B h T"], normed: Float[Tensor, "B T D"]
) -> Float[Tensor, "B h d"]:
    """Return the weighted sum of all tokens' values, which are never computed."""
    mixed = torch.einsum("bhc,hdc->bhd", weights @ normed, values.weight)
    if values.bias is None:
        return mixed
    return mixed + weights.sum(dim=-1, keepdim=True) * values.bias


def _rows_of_qkv(attn: Any, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
    weight, bias = attn.qkv.weight, joint_bias(attn)
    size = len(weight) // 3
    part = slice(start * size, stop * size)
    return weight[part], None if bias is None else bias[part]
