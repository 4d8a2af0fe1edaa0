"""SPT-Deep trained as the paper writes it: prompts are tokens of every block, then thrown away.

Axis letters: B batch, L layers, P prompts, D width.
"""

import torch
from torch import Tensor

from trainer.methods.prompted import PromptedClassifier


class TokenForm(PromptedClassifier):
    """The same parameters, the same numbers, in timm's own blocks over N + P + 1 tokens."""

    def features(self, pixels: Tensor) -> Tensor:
        """Return what the head sees (paper eq. 6 and 13)."""
        trunk, spec = self.backbone.trunk, self.backbone.spec
        special = trunk.num_prefix_tokens
        tokens = trunk._pos_embed(trunk.patch_embed(pixels))
        for block, prompts in zip(trunk.blocks, self.prompts, strict=True):
            rows = prompts.expand(len(pixels), -1, -1)
            count = tokens.shape[1] - trunk.patch_embed.num_patches
            old, patches = tokens[:, :special], tokens[:, count:]
            tokens = block(torch.cat([old, rows, patches], dim=1))
        if spec.pooling == "cls":
            return trunk.norm(tokens)[:, 0]
        return trunk.norm(tokens[:, special:].mean(dim=1))
