"""VFPT (Zeng et al. 2024): some prompts of each block pass through a Fourier transform.

"Visual Fourier prompt tuning", 3.2, and the authors' code: the first `floor(share·P)` prompts of a
block become the real part of their transform over the hidden and the sequence dimension, without
a scale; the others stay. Every block does so, the first one too, as their settings have it. The
transform does not depend on the image. So what is served are plain prompts: its results.

Axis letters: M layers with prompts, P prompts, D width.
"""

from math import floor

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.vit.backbone import Backbone
from trainer.methods.prompted import PromptedClassifier

SHARE = 0.5
"""The default of the authors' code; they tune it by task."""


class FourierClassifier(PromptedClassifier):
    """Prompts of which a share is learned in the frequency domain."""

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        prompts: Float[Tensor, "M P D"],
        *,
        frozen: bool = False,
        fourier_share: float = SHARE,
    ) -> None:
        super().__init__(backbone, num_classes, prompts, frozen=frozen)
        self._count = floor(fourier_share * prompts.shape[1])

    def changes(self) -> dict[str, Tensor]:
        """Return the transformed and the plain prompts; see `Classifier.changes`."""
        transformed, plain = self.prompts.tensor_split([self._count], dim=1)
        if not self._count:
            return super().changes()
        return {"prompts": torch.cat([torch.fft.fft2(transformed).real, plain], dim=1)}
