"""How a trunk's last tokens can become one feature, and how its makers meant it.

Knows timm; knows nothing of prompts, checkpoints or names.
"""

from typing import Final, get_args

from timm.layers import AttentionPoolLatent
from torch import nn

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
