"""The frozen trunk with each row's deep prompts read by address; see `attention.py`.

Axis letters: B batch, D width, H W pixels.
"""

from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.vit.backbone import Backbone
from adapters.vit.blocks.known import PLAIN, not_plain
from adapters.vit.prompting import embed, pool, rows_read
from adapters.vit.trunk import Trunk
from serving.trunk.backend import Form
from serving.trunk.cuda.attention import HEAD_DIMS, prefix_attention

_TYPES: Final = (torch.bfloat16, torch.float16)
"""In float32 no tensor core is exact, and torch's own attention is the faster one."""


def reads_by_address(backbone: Backbone) -> bool:
    """Whether the kernels compute this backbone: its floating type, its blocks and their heads."""
    blocks = backbone.trunk.blocks
    if backbone.dtype not in _TYPES or not_plain(blocks) is not None:
        return False
    attentions = [block.attn for block in blocks]
    return all(
        attn.head_dim in HEAD_DIMS and isinstance(attn.k_norm, nn.Identity) for attn in attentions
    )


def is_prefix_alone(form: Form) -> bool:
    """Whether all that a form adds are keys and values: no tokens, and nothing after attention."""
    return not form.num_tokens and not form.has_biases


def features_by_address(
    trunk: Trunk,
    spec: BackboneSpec,
    pixels: Float[Tensor, "B 3 H W"],
    prefixes: Int[Tensor, " B"],
    lengths: Int[Tensor, " B"],
    first_blocks: Int[Tensor, " B"],
) -> Float[Tensor, "B D"]:
    """Return one feature per row, as `adapters.vit.prompting.features` does.

    In the last block, keys and values of all tokens and the attention of few are fewer launches
    than `read_first_row`, and on a GPU no more time.

    Args:
        trunk: one that `reads_by_address`.
        spec: its pooling and final norm decide what is read.
        pixels: normalised images.
        prefixes: address of each row's keys and values, see `prefix_attention`.
        lengths: deep prompts of each row's blocks; 0 for one without.
        first_blocks: of each row, that has prompts, from 0.
    """
    tokens = embed(trunk, pixels)
    read = rows_read(trunk, spec, tokens.shape[1])
    last = len(trunk.blocks) - 1
    layers = torch.arange(last + 1, device=lengths.device)[:, None]
    lengths_in = torch.where(layers >= first_blocks, lengths, 0)
    for layer, block in enumerate(trunk.blocks):
        rows = read if layer == last else slice(0, tokens.shape[1])
        attn = block.attn
        qkv = attn.qkv(block.norm1(tokens))
        mixed = prefix_attention(qkv, prefixes, lengths_in[layer], layer, attn.num_heads, rows.stop)
        tokens = PLAIN.after(block, tokens[:, rows], mixed[:, rows])
    return pool(trunk, spec, tokens)
