"""The slow, obvious form of prompts: tokens between class token and patches, one image at a time.

Written from the paper's equations 6 and 13 and timm's own blocks; shares nothing with
`adapters.vit.prompting`.
"""

import torch
from timm.models.vision_transformer import VisionTransformer

from adapters.vit.adapter import Adapter


def reference_feature(
    trunk: VisionTransformer, adapter: Adapter, pixels: torch.Tensor
) -> torch.Tensor:
    """Return the pooled feature [D] of one image [3, H, W]."""
    dtype = trunk.cls_token.dtype
    special = trunk.num_prefix_tokens
    tokens = trunk._pos_embed(trunk.patch_embed(pixels[None].to(dtype)))
    first, patches = tokens[:, :special], tokens[:, special:]
    prompts = adapter.prompts
    length = 0 if prompts is None else prompts.shape[1]
    shallow = prompts is not None and len(prompts) == 1
    bare = 0 if prompts is None else len(trunk.blocks) - len(prompts)
    tokens = torch.cat([first, *([prompts[:1].to(dtype)] if shallow else []), patches], dim=1)
    for i, block in enumerate(trunk.blocks):
        if prompts is not None and not shallow and i >= bare:
            old = 0 if i == bare else length
            patches, own = tokens[:, special + old :], prompts[i - bare][None].to(dtype)
            tokens = torch.cat([tokens[:, :special], own, patches], dim=1)
        tokens = block(tokens)
    read_out = adapter.meta.backbone
    if read_out.final_norm == "before-pooling":
        tokens = trunk.norm(tokens)
    pooled = {
        "cls": tokens[:, 0],
        "mean": tokens[:, special + length :].mean(dim=1),
        "mean-with-prompts": tokens[:, special:].mean(dim=1),
    }[read_out.pooling]
    return (trunk.norm(pooled) if read_out.final_norm == "after-pooling" else pooled)[0]


def reference_scores(
    trunk: VisionTransformer, adapter: Adapter, pixels: torch.Tensor
) -> torch.Tensor:
    """Return the softmax probabilities [C] of one image, at the task's temperature."""
    feature = reference_feature(trunk, adapter, pixels)
    weight, bias = adapter.head_weight.to(feature.dtype), adapter.head_bias.to(feature.dtype)
    return ((weight @ feature + bias) / adapter.meta.temperature).softmax(dim=0)
