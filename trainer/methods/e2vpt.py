"""E2VPT (Cheng et al. 2023): deep prompts, and learned keys and values with them.

Its pruning of prompts, with a second training from the start after it, is left out.
Axis letters: B batch, L layers, P prompts, K key/value prompts, D width, h heads, d head width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from adapters.vit.backbone import Backbone
from adapters.vit.blocks.attention import heads_of, run_block
from adapters.vit.prompting import embed, pool, prefix_of, rows_read
from trainer.methods.prompted import PromptOwner

NUM_KEYS_VALUES = 5
"""K, the default of the authors' code."""


class KeyValuePromptedClassifier(PromptOwner):
    """Deep prompts, and in every block and head K vectors that are both keys and values.

    One vector for both is the default of the authors' code, as is He's initialisation.

    Attributes:
        keys_values: `[L, K, h, d]`.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        prompts: Float[Tensor, "L P D"],
        *,
        frozen: bool = False,
    ) -> None:
        super().__init__(backbone, num_classes, prompts, frozen=frozen)
        heads = heads_of(backbone.trunk.blocks[0])
        shape = (backbone.spec.depth, NUM_KEYS_VALUES, *heads)
        bound = (6 / (NUM_KEYS_VALUES * heads[1])) ** 0.5
        self.keys_values = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))

    def features(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Return what the head sees under prompts, keys and values."""
        trunk, spec, batch = self.backbone.trunk, self.backbone.spec, len(pixels)
        tokens = embed(trunk, pixels)
        count = tokens.shape[1]
        own = self.keys_values[:, :, None].expand(-1, -1, 2, -1, -1)
        prefix = torch.cat([prefix_of(trunk, self.prompts), own.to(self.prompts)], dim=1)
        for block, layer in zip(trunk.blocks[:-1], prefix[:-1], strict=True):
            tokens = run_block(block, tokens, prefix=layer.expand(batch, -1, -1, -1, -1))
        last = prefix[-1]
        if spec.pooling == "mean-with-prompts":
            tokens, last = torch.cat([tokens, self._last(batch)], dim=1), own[-1]
        rows = rows_read(trunk, spec, count)
        last = last.expand(batch, -1, -1, -1, -1)
        return pool(trunk, spec, run_block(trunk.blocks[-1], tokens, prefix=last, rows=rows))

    def _last(self, batch: int) -> Float[Tensor, "B P D"]:
        return self.prompts[-1].expand(batch, -1, -1)
