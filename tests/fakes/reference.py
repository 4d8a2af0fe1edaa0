"""The slow, obvious form of prompts: tokens between class token and patches, one image at a time.

Written from the paper's equations 6 and 13 and timm's own blocks; shares nothing with
`adapters.vit.prompting`.
"""

from collections.abc import Callable, Sequence

import torch

from adapters.vit.adapter import Adapter
from adapters.vit.trunk import Trunk
from tests.fakes.timm_tokens import entering, through


def reference_feature(trunk: Trunk, adapter: Adapter, pixels: torch.Tensor) -> torch.Tensor:
    """Return the pooled feature [D] of one image [3, H, W]."""
    dtype = next(trunk.parameters()).dtype
    special = trunk.num_prefix_tokens
    tokens = entering(trunk, pixels[None].to(dtype))
    first, patches = tokens[:, :special], tokens[:, special:]
    prompts = adapter.prompts
    length = 0 if prompts is None else prompts.shape[1]
    shallow = prompts is not None and len(prompts) == 1
    bare = 0 if prompts is None else len(trunk.blocks) - len(prompts)
    tokens = torch.cat([first, *([prompts[:1].to(dtype)] if shallow else []), patches], dim=1)
    for i in range(len(trunk.blocks)):
        if prompts is not None and not shallow and i >= bare:
            old = 0 if i == bare else length
            patches, own = tokens[:, special + old :], prompts[i - bare][None].to(dtype)
            tokens = torch.cat([tokens[:, :special], own, patches], dim=1)
        is_prompted = prompts is not None and (shallow or i >= bare)
        tokens = through(trunk, i, tokens, length if is_prompted else 0)
    read_out = adapter.meta.backbone
    if read_out.final_norm == "before-pooling":
        tokens = _normed(trunk, tokens)
    pooled = _pooled(trunk, tokens, length)[read_out.pooling]()
    return (_normed(trunk, pooled) if read_out.final_norm == "after-pooling" else pooled)[0]


def reference_features(
    trunk: Trunk, adapters: Sequence[Adapter], pixels: torch.Tensor
) -> torch.Tensor:
    """Return the pooled features [B, D] of images [B, 3, H, W], each under its own adapter."""
    rows = zip(adapters, pixels, strict=True)
    return torch.stack([reference_feature(trunk, adapter, one) for adapter, one in rows])


def _normed(trunk: Trunk, tokens: torch.Tensor) -> torch.Tensor:
    """Apply the last norm, which is before or after timm's pooling; the other is the identity."""
    return trunk.fc_norm(trunk.norm(tokens))


def _pooled(
    trunk: Trunk, tokens: torch.Tensor, length: int
) -> dict[str, Callable[[], torch.Tensor]]:
    special = trunk.num_prefix_tokens
    first, patches = tokens[:, :special], tokens[:, special + length :]
    mapped = (
        torch.cat([first, patches], dim=1)
        if getattr(trunk, "pool_include_prefix", True)
        else patches
    )
    return {
        "cls": lambda: first[:, 0],
        "mean": lambda: patches.mean(dim=1),
        "mean-with-prompts": lambda: tokens[:, special:].mean(dim=1),
        "map": lambda: trunk.attn_pool(mapped),
    }


def reference_scores(trunk: Trunk, adapter: Adapter, pixels: torch.Tensor) -> torch.Tensor:
    """Return the softmax probabilities [C] of one image, at the task's temperature."""
    feature = reference_feature(trunk, adapter, pixels)
    weight, bias = adapter.head_weight.to(feature.dtype), adapter.head_bias.to(feature.dtype)
    return ((weight @ feature + bias) / adapter.meta.temperature).softmax(dim=0)
