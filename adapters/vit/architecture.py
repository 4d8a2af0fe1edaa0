"""Which Vision Transformers can carry prompts, and how one is built without weights.

Knows timm; knows nothing of checkpoints' files, adapters or images.
"""

from typing import Any, get_args

import timm
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.errors import BackboneUnsupported
from adapters.vit.blocks.known import why_not
from adapters.vit.families import architecture_of, family_of
from adapters.vit.trunk import Trunk, oddity

_OWN = {
    EMBEDDED: {
        "img_size": 64,
        "patch_size": 8,
        "embed_dim": 192,
        "depth": 6,
        "num_heads": 3,
    },
}

_MOCO_V3: dict[str, dict[str, int]] = {"vit_small_patch16_224": {"num_heads": 12}}
"""Where MoCo v3's ViT is another than timm's of that name: its ViT-S has 12 heads, timm's 6."""


def create_trunk(name: str) -> Trunk:
    """Build the plain ViT called `name`, without a classifier and without weights.

    Args:
        name: the embedded backbone's name or any plain ViT of timm, `architecture[.tag]`; the
            tag `mocov3`, which timm does not have, means MoCo v3's ViT of that architecture.

    Raises:
        BackboneUnsupported: timm does not know the name, or the model is not a plain ViT.
    """
    if name in _OWN:
        return VisionTransformer(num_classes=0, global_pool="token", **_OWN[name])
    is_moco = family_of(name).name == "mocov3"
    timm_name = architecture_of(name) if is_moco else name
    changes = _MOCO_V3.get(timm_name, {}) if is_moco else {}
    try:
        model = timm.create_model(timm_name, pretrained=False, num_classes=0, **changes)
    except (RuntimeError, ValueError) as error:
        known = ", ".join(_OWN)
        raise BackboneUnsupported(
            f"backbone {name!r}: timm {timm.__version__} has no such model ({error}); "
            f"name a plain ViT of timm, such as vit_base_patch16_224, or one of ours: {known}"
        ) from error
    return require_plain(model, name)


def require_plain(model: nn.Module, name: str) -> Trunk:
    """Return `model` if its blocks are the ones whose prompts we know to compute exactly."""
    reason = _why_not_plain(model)
    if reason is not None or not isinstance(model, Trunk):
        raise BackboneUnsupported(
            f"backbone {name!r}: {reason}; prompts need a plain timm VisionTransformer with a "
            "class token, absolute position embedding and pre-norm blocks, "
            "such as vit_base_patch16_224"
        )
    return model


def _why_not_plain(model: Any) -> str | None:
    if type(model) not in get_args(Trunk):
        return f"it is a {type(model).__name__}"
    is_plain = isinstance(model, VisionTransformer)
    faults = {
        "it has no class token": model.cls_token is None,
        "it has no position embedding": is_plain and model.pos_embed is None,
        "it pools by attention": getattr(model, "attn_pool", None) is not None,
        "its pooled feature has its own norm": not isinstance(model.fc_norm, nn.Identity),
        "it normalises before the first block": is_plain
        and not isinstance(model.norm_pre, nn.Identity),
    }
    found = (fault for fault, is_there in faults.items() if is_there)
    of_blocks = filter(None, map(why_not, model.blocks))
    return next(found, None) or oddity(model) or next(of_blocks, None)
