"""Methods that add a computation inside every block of the frozen trunk.

Axis letters: B batch, T tokens, D width, E = 3·A, A width of all heads together (usually D).
"""

import torch.nn.functional as F
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


def attend(
    block: Block, joint: Float[Tensor, "B T E"], temperature: Float[Tensor, ""] | float = 1.0
) -> Tokens:
    """Return what attention adds to the tokens.

    Args:
        block: a plain ViT's.
        joint: queries, keys and values, as its projection would give them.
        temperature: scores are divided by it.
    """
    attn = block.attn
    joined = joint.unflatten(-1, (3, attn.num_heads, attn.head_dim))
    queries, keys, values = joined.transpose(1, 3).unbind(dim=2)
    queries, keys = attn.q_norm(queries) / temperature, attn.k_norm(keys)
    mixed = F.scaled_dot_product_attention(queries.to(values), keys.to(values), values)
    return block.ls1(attn.proj(mixed.transpose(1, 2).flatten(2)))


def mlp_branch(block: Block, tokens: Tokens) -> Tokens:
    """Return what the MLP adds to the tokens."""
    return block.ls2(block.mlp(block.norm2(tokens)))
