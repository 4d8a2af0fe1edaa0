"""Which kinds of blocks we know, and why a block is none of them."""

from collections.abc import Iterable
from typing import Final

from timm.layers import Attention
from timm.models import beit, eva, vision_transformer
from torch import nn

from adapters.vit.blocks.beit import BeitBlocks
from adapters.vit.blocks.eva import EvaBlocks
from adapters.vit.blocks.kind import Kind
from adapters.vit.blocks.plain import PlainBlocks

PLAIN: Final = PlainBlocks()
EVA: Final = EvaBlocks()
BEIT: Final = BeitBlocks()


def kind_of(block: nn.Module) -> Kind:
    """Return how a block computes, of which `why_not` says nothing."""
    if isinstance(block, eva.EvaBlock):
        return EVA
    return BEIT if isinstance(block, beit.Block) else PLAIN


def not_plain(blocks: Iterable[nn.Module]) -> str | None:
    """Return the type of the first block that is not a plain ViT's, or None."""
    return next((type(one).__name__ for one in blocks if kind_of(one) is not PLAIN), None)


def why_not(block: nn.Module) -> str | None:
    """Return why a block's prompts are not known to be exact as keys and values, or None."""
    kind = kind_of(block)
    if kind is PLAIN and not isinstance(block, vision_transformer.Block):
        return f"its blocks are of type {type(block).__name__}"
    if kind is PLAIN and type(block.attn) is not Attention:
        return f"its attention is of type {type(block.attn).__name__}"
    has_norm = kind is PLAIN and not isinstance(block.attn.norm, nn.Identity)
    if has_norm or getattr(block.attn, "gate", None) is not None:
        return "its attention gates or normalises its output"
    return None
