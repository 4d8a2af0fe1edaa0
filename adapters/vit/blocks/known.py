"""Which kinds of blocks we know, and why a block is none of them."""

from timm.layers import Attention
from timm.models.vision_transformer import Block
from torch import nn

from adapters.vit.blocks.kind import Kind
from adapters.vit.blocks.plain import PlainBlocks

PLAIN = PlainBlocks()


def kind_of(block: nn.Module) -> Kind:
    """Return how a block computes, of which `why_not` says nothing."""
    return PLAIN


def why_not(block: nn.Module) -> str | None:
    """Return why a block's prompts are not known to be exact as keys and values, or None."""
    if not isinstance(block, Block) or type(block.attn) is not Attention:
        return f"its blocks are of type {type(block).__name__}"
    if block.attn.gate is not None or not isinstance(block.attn.norm, nn.Identity):
        return "its attention gates or normalises its output"
    return None
