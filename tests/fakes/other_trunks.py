"""Architectures of timm whose blocks are not plain, in miniature: two narrow blocks."""

import timm
import torch

from adapters.vit.trunk import Trunk

_BY_CLASS_TOKEN = {"global_pool": "token"}
_SMALL = {"embed_dim": 32, "num_heads": 2, "depth": 2, "num_classes": 0}

EVA: dict[str, dict[str, object]] = {
    "vit_small_patch16_dinov3": {},
    "vit_small_patch16_dinov3_qkvb": {},
    "vit_huge_plus_patch16_dinov3": {},
    "eva_giant_patch14_clip_224": {},
    "eva02_tiny_patch14_224": _BY_CLASS_TOKEN,
    "eva02_base_patch14_224": _BY_CLASS_TOKEN,
    "eva02_base_patch16_clip_224": {},
    "vit_pe_core_base_patch16_224": _BY_CLASS_TOKEN,
    "vit_small_patch16_rope_224": {},
    "vit_small_patch16_rope_ape_224": {},
    "vit_small_patch16_rope_mixed_224": {},
    "vit_small_patch16_rope_mixed_ape_224": {},
    "vit_base_patch16_sapiens2": {"num_kv_heads": (2, 1)},
}
"""By name, with what differs from timm's: the read-out, and heads that share keys and values.

In this order: registers, gains, halves that turn; biases of queries and values; SwiGLU; no
rotation; SwiGLU in one product; three projections; a norm of the attention's output; a norm before
the first block; rotation; also positions; a rotation of each block; also positions; shared heads.
"""

BEIT: dict[str, dict[str, object]] = {
    "beit_base_patch16_224": _BY_CLASS_TOKEN,
    "beitv2_base_patch16_224": _BY_CLASS_TOKEN,
}


def other_trunk(name: str, seed: int = 0) -> Trunk:
    """Return a frozen random trunk of three by three patches, whose every parameter matters."""
    patch = 14 if "patch14" in name else 16
    changes = {"img_size": 3 * patch, **_SMALL, **(EVA | BEIT)[name]}
    trunk = timm.create_model(name, **changes)
    generator = torch.Generator().manual_seed(seed)
    for parameter in trunk.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    return trunk.requires_grad_(False).eval()
