"""timm's own blocks on tokens with prompts among them, right after class token and registers."""

from unittest.mock import patch

import torch
from timm.models.beit import Beit
from timm.models.eva import Eva
from torch import Tensor

from adapters.vit.trunk import Trunk


def entering(trunk: Trunk, pixels: Tensor) -> Tensor:
    """Return what timm lets enter the first block."""
    patches = trunk.patch_embed(pixels)
    if isinstance(trunk, Beit):
        tokens = torch.cat([trunk.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        return tokens if trunk.pos_embed is None else tokens + trunk.pos_embed
    if isinstance(trunk, Eva):
        return trunk.norm_pre(trunk._pos_embed(patches)[0])
    return trunk.norm_pre(trunk._pos_embed(patches))


def through(trunk: Trunk, layer: int, tokens: Tensor, prompts: int) -> Tensor:
    """Run one of timm's blocks.

    timm turns the queries and keys of all tokens by their places, but for the first few: so it is
    told that prompts are among those few. BEiT's bias is of as many tokens as an image has: so it
    is given one in which prompts have none.
    """
    block = trunk.blocks[layer]
    if isinstance(trunk, Eva):
        first = trunk.num_prefix_tokens + prompts
        with patch.object(block.attn, "num_prefix_tokens", first):
            return block(tokens, rope=_rotation(trunk, layer))
    if isinstance(trunk, Beit):
        bias = _around_prompts(block.attn._get_rel_pos_bias(), prompts)
        with patch.object(block.attn, "_get_rel_pos_bias", lambda: bias):
            return block(tokens)
    return block(tokens)


def _rotation(trunk: Eva, layer: int) -> Tensor | None:
    blank = next(trunk.parameters()).new_zeros(1, 3, *trunk.patch_embed.img_size)
    rotation = trunk._pos_embed(trunk.patch_embed(blank))[1]
    return rotation[layer] if trunk.rope_mixed else rotation


def _around_prompts(bias: Tensor, prompts: int) -> Tensor:
    count = bias.shape[-1]
    places = torch.tensor([0, *range(1 + prompts, count + prompts)])
    wider = bias.new_zeros(*bias.shape[:2], count + prompts, count + prompts)
    wider[:, :, places[:, None], places] = bias
    return wider
