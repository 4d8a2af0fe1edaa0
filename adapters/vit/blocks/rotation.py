"""Rotary positions: how each block turns its queries and keys by their places.

Sines and cosines depend on the size of the image alone, so they are computed once per trunk.
Axis letters: B batch, R successive tokens, T tokens with a place, N patches, h heads, d head width,
E = 2·d.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import apply_rot_embed
from timm.models.eva import Eva
from torch import Tensor, nn


class Rotation(nn.Module):
    """Turns queries or keys by their places; those of class token and registers stay as they are.

    Args:
        patches: sines, then cosines, of each patch; h is 1 where all heads turn alike.
        special: tokens before the patches.
        half: whether the pairs that turn are half a head apart, not neighbours.
    """

    table: Float[Tensor, "2 T h d"]

    def __init__(self, patches: Float[Tensor, "N h E"], special: int, *, half: bool) -> None:
        super().__init__()
        sines, cosines = patches.chunk(2, dim=-1)
        before = (0, 0, 0, 0, special, 0)
        table = torch.stack([F.pad(sines, before), F.pad(cosines, before, value=1.0)])
        self.register_buffer("table", table, persistent=False)
        self._half = half

    def forward(self, x: Float[Tensor, "B R h d"], place: int) -> Float[Tensor, "B R h d"]:
        """Return queries or keys turned.

        Args:
            x: of tokens in a row; those after the image's are prompts, which are not turned.
            place: of the first one.
        """
        sines, cosines = self.table[:, place : place + x.shape[1]]
        count = sines.shape[0]
        image = apply_rot_embed(x[:, :count], sines, cosines, half=self._half)
        return image if x.shape[1] == count else torch.cat([image, x[:, count:]], dim=1)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "Rotation":
        """Move the table, which stays in float32 where the trunk is in less, as timm's DINOv3."""
        exact = self.table
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.table.dtype.itemsize < exact.dtype.itemsize:
            self.table = exact.to(self.table.device)
        return self


def place_rotations(trunk: nn.Module) -> None:
    """Give each block its rotation, if the trunk is one whose blocks may have any.

    Args:
        trunk: in evaluation mode, with its weights.
    """
    if isinstance(trunk, Eva):
        for block, rotation in zip(trunk.blocks, _rotations(trunk), strict=True):
            block.rotation = rotation


@torch.no_grad()
def _rotations(trunk: Eva) -> list[Rotation | None]:
    """Return the rotation of each block; one is all of theirs unless each has its own."""
    if trunk.rope is None:
        return [None] * len(trunk.blocks)
    found = trunk.rope.get_embed(shape=trunk.patch_embed.grid_size)
    special, half = trunk.num_prefix_tokens, trunk.blocks[0].attn.rotate_half
    if trunk.rope_mixed:
        return [Rotation(own.transpose(0, 1), special, half=half) for own in found]
    return [Rotation(found[:, None], special, half=half)] * len(trunk.blocks)
