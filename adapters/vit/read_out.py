"""How a trunk's last tokens can become one feature, and how its makers meant it.

Knows timm; knows nothing of prompts, checkpoints or names.
Axis letters: B batch, R rows pooled, D width.
"""

from typing import Final, get_args

import torch
from jaxtyping import Float
from timm.layers import AttentionPoolLatent
from torch import Tensor, nn

from adapters.artifact.backbone_spec import FinalNorm, Pooling
from adapters.vit.trunk import Trunk

_AS_TIMM_SAYS: Final[dict[str, Pooling]] = {"token": "cls", "avg": "mean", "map": "map"}


def poolings_of(trunk: Trunk) -> tuple[Pooling, ...]:
    """Return the poolings that a trunk has the parts for."""
    has = {
        "cls": trunk.cls_token is not None,
        "map": isinstance(getattr(trunk, "attn_pool", None), AttentionPoolLatent),
    }
    return tuple(pooling for pooling in get_args(Pooling) if has.get(pooling, True))


def usual_read_out(trunk: Trunk) -> tuple[Pooling, FinalNorm] | None:
    """Return the read-out that timm has for a trunk; None if it is none of ours."""
    pooling = _AS_TIMM_SAYS.get(trunk.global_pool)
    if pooling not in poolings_of(trunk):
        return None
    is_after = not isinstance(trunk.fc_norm, nn.Identity)
    return pooling, "after-pooling" if is_after else "before-pooling"


def pools_special_tokens(trunk: Trunk) -> bool:
    """Whether attention pooling sees class token and registers too, as it does in `Eva`."""
    return bool(getattr(trunk, "pool_include_prefix", True))


def final_norm(trunk: Trunk) -> nn.Module:
    """Return the last norm, which timm calls `fc_norm` where it comes after a mean."""
    return trunk.norm if isinstance(trunk.fc_norm, nn.Identity) else trunk.fc_norm


def pooling_attention(
    pool: AttentionPoolLatent, rows: Float[Tensor, "B R D"]
) -> Float[Tensor, "B R"]:
    """Return how much attention pooling's own query attends to each row, the mean over heads.

    Each row of the result sums to 1, in float32 at least.
    """
    if pool.pos_embed is not None:
        rows = rows + pool.pos_embed
    heads = (pool.num_heads, pool.head_dim)
    queries = pool.q_norm(pool.q(pool.latent).unflatten(-1, heads))[0]
    keys = pool.k_norm(pool.kv(rows).unflatten(-1, (2, *heads))[:, :, 0])
    exact = torch.promote_types(keys.dtype, torch.float32)
    scores = torch.einsum("qhd,brhd->bhqr", queries.to(exact), keys.to(exact)) * pool.scale
    weights = scores.softmax(dim=-1).mean(dim=1)
    return weights[:, 0] if pool.pool == "token" else weights.mean(dim=1)
