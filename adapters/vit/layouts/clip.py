"""CLIP files of OpenAI and of open_clip: the visual tower, among the weights of the text tower.

open_clip has towers of its own, as OpenAI's, and such of timm, whose names are timm's.
"""

import re
from collections.abc import Collection
from typing import Final

from torch import Tensor

_TOWER: Final = "visual."
_TIMM_TOWER: Final = "visual.trunk."

_NAMES: Final = {
    r"^conv1\.": "patch_embed.proj.",
    r"^class_embedding$": "cls_token",
    r"^positional_embedding$": "pos_embed",
    r"^ln_pre\.": "norm_pre.",
    r"^ln_post\.": "norm.",
    r"^transformer\.resblocks\.": "blocks.",
    r"\.ln_([12])\.": r".norm\1.",
    r"\.attn\.in_proj_": ".attn.qkv.",
    r"\.attn\.out_proj\.": ".attn.proj.",
    r"\.mlp\.c_fc\.": ".mlp.fc1.",
    r"\.mlp\.c_proj\.": ".mlp.fc2.",
}


def is_clip(keys: Collection[str]) -> bool:
    """Whether a file has a visual tower of CLIP, by the names in it."""
    return any(
        key.startswith(_TIMM_TOWER) or key.removeprefix(_TOWER) == "class_embedding" for key in keys
    )


def timm_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the visual tower's tensors as timm's trunk has them, without its projection."""
    if any(key.startswith(_TIMM_TOWER) for key in tensors):
        return _below(_TIMM_TOWER, tensors)
    tower = _below(_TOWER, tensors) or tensors
    return {_name(key): _shaped(key, value) for key, value in tower.items() if key != "proj"}


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def _name(key: str) -> str:
    for theirs, timms in _NAMES.items():
        key = re.sub(theirs, timms, key)
    return key


def _shaped(key: str, value: Tensor) -> Tensor:
    if key == "class_embedding":
        return value[None, None]
    return value[None] if key == "positional_embedding" else value
