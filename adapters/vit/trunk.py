"""What a trunk may be, and what of an image enters its first block.

Axis letters: B batch, T tokens, N patches, D width, H W pixels.
"""

from collections.abc import Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float
from timm.models.beit import Beit
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

Trunk: TypeAlias = VisionTransformer | Eva | Beit


def patch_tokens(trunk: Trunk, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N D"]:
    """Return the patch tokens of normalised images, before positions are added."""
    return trunk.patch_embed(pixels).flatten(1, -2)


def first_tokens(trunk: Trunk, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B T D"]:
    """Return the first block's input: class token and registers if any, and patch tokens."""
    if isinstance(trunk, VisionTransformer):
        return trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(pixels)))
    patches, positions = patch_tokens(trunk, pixels), trunk.pos_embed
    # not len(), which fixes the number of rows of an export
    special = [token.expand(patches.shape[0], -1, -1) for token in _special(trunk)]
    if positions is not None and getattr(trunk, "no_embed_class", False):
        patches, positions = patches + positions, None
    tokens = torch.cat([*special, patches], dim=1)
    tokens = tokens if positions is None else tokens + positions
    return trunk.norm_pre(tokens) if isinstance(trunk, Eva) else tokens


def _special(trunk: Eva | Beit) -> Iterator[Tensor]:
    for name in ("cls_token", "reg_token"):
        token = getattr(trunk, name, None)
        if token is not None:
            yield token


def oddity(trunk: Trunk) -> str | None:
    """Return what a trunk has around its blocks that prompts are not known to be exact with."""
    height, width = trunk.patch_embed.img_size
    faults = {
        f"its images are {height} x {width} pixels, not square": height != width,
        "its blocks share one relative bias": getattr(trunk, "rel_pos_bias", None) is not None,
    }
    return next((fault for fault, is_there in faults.items() if is_there), None)
