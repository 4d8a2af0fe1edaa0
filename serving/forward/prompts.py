"""Per-row prompts of one forward, gathered from residents of one form.

What is allocated depends on the rows of the batch, never on how many tasks there are.
Axis letters: B batch, L layers, P prompts, D width, h heads, d head width.
"""

from collections.abc import Sequence

import torch

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import DeepPrompts, Prompts, ShallowPrompts
from serving.rows.resident import Resident
from serving.trunk.backend import Form
from serving.trunk.blank import blank_prefix, mask_of


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
