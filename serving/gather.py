"""Per-row prompts of one forward, gathered from residents of one form.

What is allocated depends on the rows of the batch, never on how many tasks there are.
Axis letters: B batch, L layers, P prompts, D width, h heads, d head width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from adapters.backbone import Backbone
from adapters.prompting import DeepPrompts, Prompts, ShallowPrompts
from serving.backend import Form
from serving.resident import Resident


def gather_prompts(
    backbone: Backbone, form: Form, residents: Sequence[Resident], alignment: int = 1
) -> Prompts:
    """Return the prompts of some rows as the trunk takes them.

    Args:
        backbone: whose tokens the prompts are joined to.
        form: of every resident.
        residents: one per row; the same one may answer several rows.
        alignment: deep prompts are filled up, and the filling masked, until prompts and tokens
            together are a multiple of this.
    """
    tokens = [resident.tokens for resident in residents if resident.tokens is not None]
    if form.shallow:
        return ShallowPrompts(torch.stack(tokens))
    lengths = [resident.num_prompts for resident in residents]
    prefix = blank_prefix(backbone, len(lengths), max(lengths), alignment)
    for length in sorted(set(lengths) - {0}):
        rows = [i for i, found in enumerate(lengths) if found == length]
        stored = [p for i in rows if (p := residents[i].prefix) is not None]
        if len(rows) == len(residents):
            torch.stack(stored, out=prefix[:, :, :length])
        else:
            prefix[rows, :, :length] = torch.stack(stored)
    return DeepPrompts(
        prefix,
        mask_of(lengths, prefix, alignment),
        torch.stack(tokens) if tokens else None,
    )


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
    prefix = blank_prefix(backbone, rows, length, alignment)
    mask = mask_of([length] * rows, prefix, alignment)
    return DeepPrompts(prefix, mask, tokens if form.num_tokens else None)


def blank_prefix(backbone: Backbone, rows: int, longest: int, alignment: int) -> Tensor:
    """Return zeros `[B, L, P, 2, h, d]` with room for the longest prefix and the alignment."""
    attn = backbone.trunk.blocks[0].attn
    filled = longest + -(longest + num_tokens(backbone)) % alignment
    shape = (rows, backbone.spec.depth, filled, 2, attn.num_heads, attn.head_dim)
    return torch.zeros(shape, dtype=backbone.dtype, device=backbone.device)


def mask_of(lengths: Sequence[int], prefix: Tensor, alignment: int) -> Tensor | None:
    """Return what `DeepPrompts.mask` should be; with an alignment there always is one."""
    filled = prefix.shape[2]
    if alignment == 1 and min(lengths) == filled:
        return None
    is_filling = torch.tensor(lengths)[:, None] <= torch.arange(filled)
    mask = torch.zeros(is_filling.shape).masked_fill(is_filling, -torch.inf)
    return mask.to(prefix.device, prefix.dtype)


def num_tokens(backbone: Backbone) -> int:
    """Return how many tokens one image becomes: patches, class token, registers."""
    trunk = backbone.trunk
    return int(trunk.patch_embed.num_patches) + int(trunk.num_prefix_tokens)
