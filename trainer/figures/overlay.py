"""Attention laid over the image it belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from trainer.figures.style import house_style, panels_of, save

_PANEL: Final = 2.1
_COLOURS: Final = "inferno"
_OPACITY: Final = 0.8
_LUMINANCE: Final = np.array([0.299, 0.587, 0.114])
"""Of red, green and blue (ITU-R BT.601)."""


@dataclass(frozen=True)
class OverlayPanel:
    """An image, alone or under a map of weights.

    Attributes:
        title: written above.
        image: RGB, as the model was shown it.
        weights: not negative, a number per patch; most coloured where greatest, over the image in
            grey; None shows the image as it is.
    """

    title: str
    image: UInt8[Tensor, "H W 3"]
    weights: Float[Tensor, "g w"] | None = None


def draw_overlays(path: Path, panels: Sequence[OverlayPanel], *, columns: int = 4) -> Path:
    """Write images under their attention, side by side, and return the figure's path.

    Each map has a scale of its own, from 0 to its greatest weight, smoothed between patches.

    Args:
        path: ends in .svg or .png.
        panels: at least one.
        columns: panels side by side, at most.

    Raises:
        DataError: there is nothing to draw, or the path ends in something else.
    """
    columns = min(columns, max(1, len(panels)))
    rows = -(-len(panels) // columns)
    with house_style():
        figure = Figure(figsize=(_PANEL * columns, (_PANEL + 0.4) * rows), layout="compressed")
        panels_of(figure, panels, _draw_panel, columns)
        return save(figure, path)


def _draw_panel(axes: Axes, panel: OverlayPanel) -> None:
    axes.set_title(panel.title, fontsize=9)
    axes.set_axis_off()
    image = panel.image.cpu().numpy()
    if panel.weights is None:
        axes.imshow(image, interpolation="nearest")
        return
    axes.imshow(image @ _LUMINANCE, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    height, width, _ = image.shape
    shares = _spread_over(panel.weights, (height, width))
    axes.imshow(
        shares, cmap=_COLOURS, vmin=0, vmax=1, alpha=_OPACITY * shares, interpolation="nearest"
    )


def _spread_over(weights: Float[Tensor, "g w"], size: tuple[int, int]) -> NDArray[np.float64]:
    """Enlarge a map to the image's size and scale it to a greatest value of 1."""
    wide = F.interpolate(
        weights.detach().double().cpu()[None, None], size, mode="bilinear", align_corners=False
    )[0, 0]
    greatest = wide.max().clamp_min(torch.finfo(wide.dtype).tiny)
    shares: NDArray[np.float64] = (wide / greatest).numpy()
    return shares
