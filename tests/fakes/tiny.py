"""A real ViT, too small to know anything: 16 pixels, 4 patches, width 16, 3 blocks."""

import io

import numpy as np
import torch
from PIL import Image
from timm.models.vision_transformer import VisionTransformer

from adapters.artifact.backbone_spec import BackboneSpec, Pooling
from adapters.artifact.preprocessing import Preprocessing
from adapters.vit.backbone import Backbone
from adapters.vit.blocks.rotation import place_rotations
from adapters.vit.trunk import Trunk
from adapters.vit.weights import digest

HALF = (0.5, 0.5, 0.5)


def tiny_trunk(
    seed: int = 0, *, kind: type[VisionTransformer] = VisionTransformer, **changes: object
) -> Trunk:
    """Return a frozen random trunk whose every parameter matters."""
    settings = {
        "img_size": 16,
        "patch_size": 8,
        "embed_dim": 16,
        "depth": 3,
        "num_heads": 2,
        "num_classes": 0,
        "global_pool": "token",
    }
    return with_random_weights(kind(**settings | changes), seed)


def with_random_weights(trunk: Trunk, seed: int = 0) -> Trunk:
    """Return the trunk frozen, each of its parameters random and of a size that matters."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in trunk.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    return trunk.requires_grad_(False).eval()


def read_out(pooling: Pooling) -> dict[str, str]:
    """Return the fields of a spec that has this pooling, the final norm where it usually is."""
    norm = "before-pooling" if pooling in ("cls", "map") else "after-pooling"
    return {"pooling": pooling, "final_norm": norm}


def tiny_backbone(
    trunk: Trunk | None = None,
    *,
    pooling: Pooling = "cls",
    dtype: torch.dtype = torch.float32,
) -> Backbone:
    """Return the tiny trunk as a backbone."""
    trunk = trunk or tiny_trunk()
    spec = BackboneSpec(
        name="tiny",
        weights_sha256=digest(trunk),
        width=trunk.embed_dim,
        depth=len(trunk.blocks),
        num_heads=trunk.blocks[0].attn.num_heads,
        image_size=trunk.patch_embed.img_size[0],
        patch_size=trunk.patch_embed.patch_size[0],
        **read_out(pooling),
    )
    rule = Preprocessing(
        resize="squash", resize_size=spec.image_size, crop=spec.image_size, mean=HALF, std=HALF
    )
    trunk = trunk.to(dtype)
    place_rotations(trunk)
    return Backbone(trunk, spec, rule)


def image_bytes(seed: int, size: tuple[int, int] = (16, 16), kind: str = "PNG") -> bytes:
    """Return a small random image, encoded."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()
