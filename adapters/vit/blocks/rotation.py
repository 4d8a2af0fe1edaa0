"""Rotary positions: by which sines and cosines each block turns its queries and keys.

They depend on the size of the image alone, so they are computed once per trunk.
Axis letters: B batch, R successive tokens, T tokens with a place, N patches, h heads, d head width,
E = 2·d.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import apply_rot_embed
from timm.models.eva import Eva
from torch import Tensor, nn

Rotation = Float[Tensor, "2 T h d"]
"""Sines and cosines; h is 1 where all heads turn alike. Those of class token and registers turn by
nothing."""


def place_rotations(trunk: nn.Module) -> None:
    """Give each block its rotation, if the trunk is one with rotary positions.

    Args:
        trunk: in evaluation mode, with its weights, on its device, in its floating type; what
            timm keeps in float32 stays so.
    """
    if not isinstance(trunk, Eva):
        return
    for block, rotation in zip(trunk.blocks, _rotations(trunk), strict=True):
        block.register_buffer("rotation", rotation, persistent=False)


def turned(block: Any, x: Float[Tensor, "B R h d"], place: int) -> Float[Tensor, "B R h d"]:
    """Return queries or keys turned by their places.

    Args:
        block: of a trunk whose rotations were placed.
        x: of tokens in a row; those after the image's are prompts, which are not turned.
        place: of the first one.
    """
    if block.rotation is None:
        return x
    sines, cosines = block.rotation[:, place : place + x.shape[1]]
    count = len(sines)
    image = apply_rot_embed(x[:, :count], sines, cosines, half=block.attn.rotate_half)
    return image if x.shape[1] == count else torch.cat([image, x[:, count:]], dim=1)


@torch.no_grad()
def _rotations(trunk: Eva) -> list[Rotation | None]:
    """Return the rotation of each block; one tensor is all of theirs unless each has its own."""
    if trunk.rope is None:
        return [None] * len(trunk.blocks)
    found = trunk.rope.get_embed(shape=trunk.patch_embed.grid_size)
    special = trunk.num_prefix_tokens
    if trunk.rope_mixed:
        return [_table(own.transpose(0, 1), special) for own in found]
    return [_table(found[:, None], special)] * len(trunk.blocks)


def _table(patches: Float[Tensor, "N h E"], special: int) -> Rotation:
    """Return sines and cosines, before which those of so many special tokens are put."""
    sines, cosines = patches.chunk(2, dim=-1)
    before = (0, 0, 0, 0, special, 0)
    return torch.stack([F.pad(sines, before), F.pad(cosines, before, value=1.0)])
