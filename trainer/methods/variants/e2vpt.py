"""E2VPT (Cheng et al. 2023): deep prompts, and learned keys and values with them.

Its pruning of prompts, with a second training from the start after it, is left out.
Axis letters: M layers with prompts, P prompts, K key/value prompts, D width, h heads, d head width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import heads_of
from trainer.methods.prompted import PromptedClassifier

NUM_KEYS_VALUES = 5
"""K, the default of the authors' code."""


class KeyValuePromptedClassifier(PromptedClassifier):
    """Deep prompts, and in every block and head K vectors that are both keys and values.

    One vector for both is the default of the authors' code, as is He's initialisation.

    Attributes:
        keys_values: `[M, K, h, d]`.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        prompts: Float[Tensor, "M P D"],
        *,
        frozen: bool = False,
    ) -> None:
        super().__init__(backbone, num_classes, prompts, frozen=frozen)
        heads = heads_of(backbone.trunk.blocks[0])
        shape = (len(prompts), NUM_KEYS_VALUES, *heads)
        bound = (6 / (NUM_KEYS_VALUES * heads[1])) ** 0.5
        self.keys_values = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))

    def changes(self) -> dict[str, Tensor]:
        """Return prompts, keys and values; see `Classifier.changes`."""
        return super().changes() | {"keys_values": self.keys_values}
