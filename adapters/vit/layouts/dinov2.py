"""Meta's DINOv2 files: timm's names but for registers, the SwiGLU and a token for masks.

timm's models with registers have the class token's position embedding inside the class token.
"""

import re
from collections.abc import Collection

from torch import Tensor

_SWIGLU = {"w12": "fc1", "w3": "fc2"}


def is_dinov2(keys: Collection[str]) -> bool:
    """Whether a file is Meta's, by the names in it; MAE's have a token for masks, too."""
    return "mask_token" in keys and "blocks.0.ls1.gamma" in keys


def timm_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors as timm's trunk has them."""
    found = {_name(key): value for key, value in tensors.items() if key != "mask_token"}
    registers = found.pop("register_tokens", None)
    if registers is None or not {"cls_token", "pos_embed"} <= found.keys():
        return found
    positions = found["pos_embed"]
    return found | {
        "reg_token": registers,
        "cls_token": found["cls_token"] + positions[:, :1],
        "pos_embed": positions[:, 1:],
    }


def _name(key: str) -> str:
    return re.sub(r"\.mlp\.(w12|w3)\.", lambda match: f".mlp.{_SWIGLU[match[1]]}.", key)
