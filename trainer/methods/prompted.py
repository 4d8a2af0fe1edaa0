"""SPT and VPT: trainable prompts and a head. The two differ only in how the prompts start.

Axis letters: B batch, M layers with prompts, P prompts, D width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import prompt_keys_values
from adapters.vit.prompting import DeepPrompts, Prompts, ShallowPrompts, features, prefix_of
from trainer.methods.classifier import Classifier


class PromptOwner(Classifier):
    """Prompts of the last M blocks (`[M, P, D]`) or before the first (`[1, P, D]`), and a head.

    Attributes:
        prompts: a parameter, or a buffer where they are frozen (paper, Table 4a).
    """

    prompts: Tensor

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        prompts: Float[Tensor, "M P D"],
        *,
        frozen: bool = False,
    ) -> None:
        super().__init__(backbone, num_classes)
        if frozen:
            self.register_buffer("prompts", prompts.clone())
        else:
            self.prompts = nn.Parameter(prompts.clone())


class PromptedClassifier(PromptOwner):
    """A classifier that differs from the linear probe by its prompts alone.

    Attributes:
        dropout: share of the prompts' numbers that are 0, drawn for each image; only training
            changes it.
    """

    dropout = 0.0

    def features(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Return what the head sees under the prompts (paper eq. 5, 6)."""
        backbone = self.backbone
        return features(backbone.trunk, backbone.spec, pixels, self._rows(len(pixels)))

    def _rows(self, batch: int) -> Prompts:
        if self.dropout:
            return self._dropped_rows(batch)
        if len(self.prompts) == 1:
            return ShallowPrompts(self.prompts.expand(batch, -1, -1))
        prefix = prefix_of(self.backbone.trunk, self.prompts)
        last = self.prompts[-1].expand(batch, -1, -1)
        return DeepPrompts(prefix.expand(batch, *prefix.shape), last=last)

    def _dropped_rows(self, batch: int) -> Prompts:
        """Return prompts of each image under a draw of its own, as VPT does it."""
        layers = [F.dropout(one.expand(batch, -1, -1), self.dropout) for one in self.prompts]
        if len(layers) == 1:
            return ShallowPrompts(layers[0])
        blocks = self.backbone.trunk.blocks[-len(layers) :]
        prefixes = [prompt_keys_values(*pair) for pair in zip(blocks, layers, strict=True)]
        return DeepPrompts(torch.stack(prefixes, dim=1), last=layers[-1])
