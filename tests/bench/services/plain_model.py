"""What LitServe and mosec are given to serve: JPEG bytes to labels, by timm's plain ViT."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from adapters.vit.backbone import load_backbone

NUM_CLASSES, TOP_K = 10, 5


class PlainModel:
    """A ViT with a linear head of random numbers.

    Args:
        name: timm's.
        weights: its checkpoint.
    """

    def __init__(self, name: str, weights: Path) -> None:
        backbone = load_backbone(name, weights)
        self._trunk, self.size = backbone.trunk, backbone.spec.image_size
        torch.manual_seed(0)
        self._head = torch.nn.Linear(backbone.spec.width, NUM_CLASSES)

    @torch.inference_mode()
    def classify(self, crops: Sequence[np.ndarray]) -> list[dict[str, float]]:
        """Return the best classes of crops `[H, W, 3]`, 8 bits."""
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1
        scores = self._head(self._trunk(pixels)).softmax(1).topk(TOP_K)
        rows = zip(scores.indices.tolist(), scores.values.tolist(), strict=True)
        return [{str(label): value for label, value in zip(*row, strict=True)} for row in rows]


def crop(image: bytes, size: int) -> np.ndarray:
    """Return an encoded image, squashed to a square of `size` pixels."""
    upright = Image.open(io.BytesIO(image)).convert("RGB")
    return np.asarray(upright.resize((size, size), Image.Resampling.BICUBIC))
