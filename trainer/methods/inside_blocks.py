"""Methods that add a computation inside every block of the frozen trunk.

Axis letters: B batch, T tokens, D width.
"""

from jaxtyping import Float
from timm.models.vision_transformer import Block
from torch import Tensor

from adapters.vit.blocks.kind import Tokens
from adapters.vit.prompting import embed, pool, rows_read
from trainer.methods.classifier import Classifier


class InsideBlocksClassifier(Classifier):
    """A classifier that says what each block computes."""

    def run_block(self, index: int, block: Block, tokens: Tokens) -> Tokens:
        """Return what block `index` makes of its tokens."""
        raise NotImplementedError

    def features(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """Return what the head sees."""
        trunk, spec = self.backbone.trunk, self.backbone.spec
        tokens = embed(trunk, pixels)
        for i, block in enumerate(trunk.blocks):
            tokens = self.run_block(i, block, tokens)
        return pool(trunk, spec, tokens[:, rows_read(trunk, spec, tokens.shape[1])])


def attention_branch(block: Block, tokens: Tokens) -> Tokens:
    """Return what attention adds to the tokens."""
    return block.ls1(block.attn(block.norm1(tokens)))


def mlp_branch(block: Block, tokens: Tokens) -> Tokens:
    """Return what the MLP adds to the tokens."""
    return block.ls2(block.mlp(block.norm2(tokens)))
