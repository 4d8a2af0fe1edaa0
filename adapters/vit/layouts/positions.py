"""Position embeddings of another grid of patches: another image size, or another patch."""

import logging
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adapters.vit.trunk import Trunk

_log = logging.getLogger(__name__)


def fit_positions(
    trunk: Trunk, positions: Float[Tensor, "1 M D"], source: str, *, google: bool
) -> Float[Tensor, "1 N D"]:
    """Resample position embeddings of another square grid to the trunk's, and log that.

    What is no grid is returned as it is.

    Args:
        trunk: whose grid is wanted.
        positions: of the tokens before the patches that have any, and of all patches.
        source: where they are from, for the log.
        google: bilinear, as Google's code does it; else bicubic with antialiasing, as timm does it.
    """
    prefix = 0 if trunk.no_embed_class else trunk.num_prefix_tokens
    height, width = trunk.patch_embed.grid_size
    count = positions.shape[1] - prefix
    side = math.isqrt(max(count, 0))
    if count == height * width or side == 0 or side * side != count:
        return positions
    _log.warning(
        "%s: position embeddings of %dx%d patches resampled to the backbone's %dx%d",
        source,
        side,
        side,
        height,
        width,
    )
    grid = positions[:, prefix:].double().unflatten(1, (side, side)).permute(0, 3, 1, 2)
    # in float64: in float32 processors differ in the last bit, and so would digests
    made = F.interpolate(
        grid,
        size=(height, width),
        mode="bilinear" if google else "bicubic",
        antialias=not google,
    )
    return torch.cat([positions[:, :prefix].float(), made.flatten(2).mT.float()], dim=1)
