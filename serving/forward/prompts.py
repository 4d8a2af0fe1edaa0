"""Per-row prompts of one forward, gathered from residents of one form.

What is allocated depends on the rows of the batch, never on how many tasks there are.
Axis letters: B batch, L layers, P prompts, D width, h heads, d head width.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import DeepPrompts, Prompts, ShallowPrompts
from serving.rows.resident import Resident
from serving.trunk.backend import Form
from serving.trunk.blank import blank_prefix, mask_of


def gather_prompts(
    backbone: Backbone, form: Form, residents: Sequence[Resident], alignment: int = 1
) -> Prompts:
    """Return the prompts of some rows as the trunk takes them; arguments as of `gather_deep`."""
    if form.shallow:
        tokens = _stacked(resident.tokens for resident in residents)
        assert tokens is not None, "rows of a shallow form have tokens"
        return ShallowPrompts(tokens)
    return gather_deep(backbone, residents, alignment)


def gather_deep(
    backbone: Backbone, residents: Sequence[Resident], alignment: int = 1, first_block: int = 0
) -> DeepPrompts:
    """Return keys and values of some rows, which have no prompts in blocks before the first.

    Args:
        backbone: whose tokens the prompts are joined to.
        residents: of one form, one per row; the same one may answer several rows.
        alignment: deep prompts are filled up, and the filling masked, until prompts and tokens
            together are a multiple of this.
        first_block: from 0; at most that of any row.
    """
    lengths = [resident.num_prompts for resident in residents]
    before = [resident.first_block - first_block for resident in residents]
    shape = len(residents), backbone.spec.depth - first_block
    prefix = blank_prefix(backbone, shape, max(lengths), alignment)
    places = list(zip(before, lengths, strict=True))
    for start, length in sorted(set(places)):
        rows = [i for i, found in enumerate(places) if found == (start, length)]
        stored = [p for i in rows if (p := residents[i].prefix) is not None]
        if len(stored) == len(residents):
            torch.stack(stored, out=prefix[:, start:, :length])
        elif stored:
            prefix[rows, start:, :length] = torch.stack(stored)
    mask = mask_of(lengths, before, prefix, alignment)
    last = _stacked(resident.tokens for resident in residents)
    biases = _stacked(resident.biases for resident in residents)
    beside = _stacked(resident.beside for resident in residents)
    return DeepPrompts(prefix, mask, last, biases, beside)


def _stacked(tensors: Iterable[Tensor | None]) -> Tensor | None:
    """Return what every row of a form has, or None if they have none."""
    found = [tensor for tensor in tensors if tensor is not None]
    return torch.stack(found) if found else None
