"""Prompts of zeros, of the shapes that a forward takes, and the mask over their filling.

Axis letters: B batch, M layers with prompts, P prompts, D width, h heads, d head width.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import heads_of
from adapters.vit.prompting import DeepPrompts, Prompts, ShallowPrompts
from serving.trunk.backend import Form
from serving.trunk.transfer import send


def blank_prompts(
    backbone: Backbone, form: Form, rows: int, length: int, alignment: int
) -> Prompts:
    """Return prompts of zeros, of the very shapes that `gather_prompts` gives.

    Args:
        backbone: whose tokens the prompts are joined to.
        form: of every row.
        rows: B.
        length: deep prompts of the longest row.
        alignment: as in `gather_prompts`.
    """
    tokens = torch.zeros(
        rows, form.num_tokens, backbone.spec.width, dtype=backbone.dtype, device=backbone.device
    )
    if form.shallow:
        return ShallowPrompts(tokens)
    prefix = blank_prefix(backbone, (rows, backbone.spec.depth), length, alignment)
    mask = mask_of([length] * rows, [0] * rows, prefix, alignment)
    size = rows, backbone.spec.depth, backbone.spec.width
    beside = rows, form.num_beside, *prefix.shape[3:]
    return DeepPrompts(
        prefix,
        mask,
        tokens if form.num_tokens else None,
        prefix.new_zeros(size) if form.has_biases else None,
        prefix.new_zeros(beside) if form.num_beside else None,
    )


def blank_prefix(
    backbone: Backbone, shape: tuple[int, int], longest: int, alignment: int
) -> Float[Tensor, "B M P 2 h d"]:
    """Return zeros with room for the longest prefix and the alignment.

    Args:
        backbone: whose tokens the prefix is joined to.
        shape: B and M.
        longest: prompts of a block.
        alignment: as in `gather_prompts`.
    """
    filled = longest + -(longest + num_tokens(backbone)) % alignment
    size = (*shape, filled, 2, *heads_of(backbone.trunk.blocks[0]))
    return torch.zeros(size, dtype=backbone.dtype, device=backbone.device)


def mask_of(
    lengths: Sequence[int], before: Sequence[int], prefix: Tensor, alignment: int
) -> Float[Tensor, "B M P"] | None:
    """Return what `DeepPrompts.mask` should be; with an alignment there always is one.

    Args:
        lengths: prompts of each row's blocks.
        before: how many of the M blocks come before those that have them, of each row.
        prefix: what is masked.
        alignment: as in `gather_prompts`.
    """
    layers, filled = prefix.shape[1:3]
    if alignment == 1 and min(lengths) == filled and not any(before):
        return None
    is_filling = torch.tensor(lengths)[:, None] <= torch.arange(filled)
    is_before = torch.tensor(before)[:, None] > torch.arange(layers)
    is_nothing = is_filling[:, None] | is_before[:, :, None]
    mask = torch.zeros(is_nothing.shape).masked_fill(is_nothing, -torch.inf)
    return send(mask.to(prefix.dtype), prefix.device)


def num_tokens(backbone: Backbone) -> int:
    """Return how many tokens one image becomes: patches, class token, registers."""
    trunk = backbone.trunk
    return int(trunk.patch_embed.num_patches) + int(trunk.num_prefix_tokens)
