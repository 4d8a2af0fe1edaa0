"""BitFit's biases after attention (Zaken et al. 2021): those that a row of a batch can have.

BitFit trains every bias of the trunk. One that stands after the attention adds the same vector to
every token, so it needs no graph of its own: the artifact holds the vector, and the service adds
it to the task's rows. The bias of the values is a special case of it, and that of the keys is
nothing. Those of queries, norms and the MLP are left to method `bias`, which is not served.

Axis letters: L layers, D width.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import heads_of
from adapters.vit.prompting import DeepPrompts, features
from trainer.methods.classifier import Classifier


class AttentionBiasClassifier(Classifier):
    """A change of the bias of every block's attention, and a head.

    Attributes:
        biases: `[L, D]`, added to the trunk's own; they start at zero.
    """

    def __init__(self, backbone: Backbone, num_classes: int) -> None:
        super().__init__(backbone, num_classes)
        self.biases = nn.Parameter(torch.zeros(backbone.spec.depth, backbone.spec.width))

    def changes(self) -> dict[str, Tensor]:
        """Return what the biases come to; see `Classifier.changes`."""
        return {"biases": after_attention(self.backbone, self.biases)}

    def features(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Return what the head sees under the biases."""
        trunk, spec, batch = self.backbone.trunk, self.backbone.spec, len(pixels)
        biases = self.changes()["biases"]
        prefix = biases.new_zeros(batch, spec.depth, 0, 2, *heads_of(trunk.blocks[0]))
        last = biases.new_zeros(batch, 0, spec.width)
        rows = DeepPrompts(prefix, last=last, biases=biases.expand(batch, -1, -1))
        return features(trunk, spec, pixels, rows)


def after_attention(
    backbone: Backbone, biases: Iterable[Float[Tensor, " D"]]
) -> Float[Tensor, "L D"]:
    """Return what biases of the projections after attention add to the tokens of plain blocks."""
    pairs = zip(backbone.trunk.blocks, biases, strict=True)
    return torch.stack([block.ls1(bias) for block, bias in pairs])
