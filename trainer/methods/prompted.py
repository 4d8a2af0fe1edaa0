"""SPT and VPT: trainable prompts and a head. The two differ only in how the prompts start.

Axis letters: B batch, M layers with prompts, P prompts, D width.
"""

from dataclasses import replace

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
    """A classifier that differs from the linear probe by what an adapter holds.

    Its features are those of its `changes`, so training computes what is served.

    Attributes:
        dropout: share of the prompts' numbers that are 0, drawn for each image; only training
            changes it.
    """

    dropout = 0.0

    def changes(self) -> dict[str, Tensor]:
        """Return the prompts as the trunk meets them; see `Classifier.changes`."""
        return {"prompts": self.prompts}

    def features(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Return what the head sees under the prompts (paper eq. 5, 6)."""
        backbone = self.backbone
        return features(backbone.trunk, backbone.spec, pixels, self._rows(len(pixels)))

    def _rows(self, batch: int) -> Prompts:
        if len(self.prompts) > 1:
            return self._deep_rows(batch)
        prompts = self.changes()["prompts"].expand(batch, -1, -1)
        return ShallowPrompts(F.dropout(prompts, self.dropout))

    def _deep_rows(self, batch: int) -> DeepPrompts:
        changes = self.changes()
        prompts, biases = changes["prompts"], changes.get("biases")
        prefix = prefix_of(self.backbone.trunk, prompts, changes.get("keys_values"))
        beside = prefix[-1, prompts.shape[1] :]

        def for_each(shared: Tensor) -> Tensor:
            return shared.expand(batch, *shared.shape)

        rows = DeepPrompts(
            for_each(prefix),
            last=for_each(prompts[-1]),
            biases=None if biases is None else for_each(biases),
            beside=for_each(beside) if len(beside) else None,
        )
        return self._dropped(rows, prompts) if self.dropout else rows

    def _dropped(self, rows: DeepPrompts, prompts: Float[Tensor, "M P D"]) -> DeepPrompts:
        """Return rows with the prompts of each image under a draw of its own, as VPT does it."""
        count, blocks = len(rows.prefix), self.backbone.trunk.blocks[-len(prompts) :]
        layers = [F.dropout(one.expand(count, -1, -1), self.dropout) for one in prompts]
        own = [prompt_keys_values(*pair) for pair in zip(blocks, layers, strict=True)]
        learned = rows.prefix[:, :, prompts.shape[1] :]
        prefix = torch.cat([torch.stack(own, dim=1), learned], dim=2)
        return replace(rows, prefix=prefix, last=layers[-1])
