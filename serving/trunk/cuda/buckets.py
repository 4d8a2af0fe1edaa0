"""The numbers of rows that graphs are recorded for, and how a batch is filled up to one.

Axis letters: B batch, P prompts.
"""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from adapters.vit.prompting import DeepPrompts, Prompts, ShallowPrompts

SMALL: Final = (1, 2, 4)
STEP: Final = 8
"""Of buckets above 16; below them are 8 and 12, too."""


def bucket_of(rows: int) -> int:
    """Return the least bucket with room for so many rows, of 1, 2, 4, 8, 12, 16, 24 and so on."""
    if rows <= SMALL[-1]:
        return next(bucket for bucket in SMALL if bucket >= rows)
    step = STEP // 2 if rows <= 2 * STEP else STEP
    return -(-rows // step) * step


def buckets_up_to(max_batch: int) -> list[int]:
    """Return every bucket that a batch may need, the largest first."""
    return sorted({bucket_of(rows) for rows in range(1, max_batch + 1)}, reverse=True)


def fill(rows: Tensor, bucket: int) -> Tensor:
    """Return the rows and rows of zeros after them, `bucket` in all."""
    extra = bucket - len(rows)
    return F.pad(rows, (0, 0) * (rows.ndim - 1) + (0, extra)) if extra else rows


def fill_prompts(prompts: Prompts, bucket: int, length: int) -> Prompts:
    """Return the prompts of `bucket` rows, deep ones filled up to `length` keys and masked."""
    if prompts is None:
        return None
    if isinstance(prompts, ShallowPrompts):
        return ShallowPrompts(fill(prompts.tokens, bucket))
    prefix, mask = prompts.prefix, prompts.mask
    assert mask is not None, "with an alignment there always is a mask"
    if extra := length - prefix.shape[2]:
        prefix = F.pad(prefix, (0, 0) * 3 + (0, extra))
        mask = F.pad(mask, (0, extra), value=-torch.inf)
    others = (
        None if tensor is None else fill(tensor, bucket)
        for tensor in (prompts.last, prompts.biases, prompts.beside)
    )
    return DeepPrompts(fill(prefix, bucket), fill(mask, bucket), *others)
