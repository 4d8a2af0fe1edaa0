"""The pictures of rows as crops on the device, and the rules by which they become floats.

Axis letters: F features, H W pixels.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from adapters.artifact.preprocessing import Preprocessing
from adapters.vit.pixels import normalise_batch
from adapters.vit.staging import stage
from serving.rows.row import Row
from serving.trunk.transfer import ahead


def crops_of(
    rows: Sequence[Row], device: torch.device
) -> tuple[UInt8[Tensor, "F H W 3"], list[Preprocessing]]:
    """Return the rows' crops on the device, and their rules."""
    rules = [row.resident.meta.preprocessing for row in rows]
    return ahead(lambda: stage([row.picture for row in rows], rules, device), device), rules


def pixels_of(rows: Sequence[Row], device: torch.device) -> Float[Tensor, "F 3 H W"]:
    """Return the rows' normalised images on the device, float32."""
    return normalise_batch(*crops_of(rows, device))
