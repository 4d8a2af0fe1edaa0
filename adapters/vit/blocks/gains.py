"""The two branches of a block, each with a gain of its own if it has any, as since BEiT.

Axis letters: B batch, R rows read, D width.
"""

from typing import Any

from jaxtyping import Float
from torch import Tensor

Rows = Float[Tensor, "B R D"]


def add_branches(block: Any, kept: Rows, attended: Rows) -> Rows:
    """Return the block's outputs for the rows that are kept, given the output of its attention."""
    kept = kept + _gained(block.gamma_1, attended)
    return kept + _gained(block.gamma_2, block.mlp(block.norm2(kept)))


def _gained(gain: Float[Tensor, " D"] | None, branch: Rows) -> Rows:
    return branch if gain is None else gain * branch
