"""Which Vision Transformers can carry prompts, and how one is built without weights.

Knows timm; knows nothing of checkpoints' files, adapters or images.
"""

from typing import Any, get_args

import timm
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.errors import BackboneUnsupported
from adapters.vit.blocks.known import why_not
from adapters.vit.families import architecture_of, family_of
from adapters.vit.read_out import usual_read_out
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

_KINDS = (*get_args(Trunk), VisionTransformerDistilled)


def create_trunk(name: str, image_size: int | None = None) -> Trunk:
    """Build the ViT called `name`, without a classifier and without weights.

    Args:
        name: the embedded backbone's name or any ViT of timm that can carry prompts,
            `architecture[.tag]`; the tag `mocov3`, which timm does not have, means MoCo v3's ViT
            of that architecture.
        image_size: side of its input in pixels, a multiple of its patch; None is its own.

    Raises:
        BackboneUnsupported: timm does not know the name, the model cannot carry prompts, or its
            patches do not fill such an image.
    """
    if name in _OWN:
        trunk = VisionTransformer(num_classes=0, global_pool="token", **_OWN[name])
        return _resized(trunk, name, image_size)
    is_moco = family_of(name).name == "mocov3"
    timm_name = architecture_of(name) if is_moco else name
    changes = _MOCO_V3.get(timm_name, {}) if is_moco else {}
    try:
        model = timm.create_model(timm_name, pretrained=False, num_classes=0, **changes)
    except (RuntimeError, ValueError) as error:
        known = ", ".join(_OWN)
        raise BackboneUnsupported(
            f"backbone {name!r}: timm {timm.__version__} has no such model ({error}); "
            f"name a ViT of timm, such as vit_base_patch16_224, or one of ours: {known}"
        ) from error
    return _resized(require_plain(model, name), name, image_size)


def require_plain(model: nn.Module, name: str) -> Trunk:
    """Return `model` if its blocks are the ones whose prompts we know to compute exactly."""
    reason = why_refused(model)
    if reason is not None or not isinstance(model, Trunk):
        raise BackboneUnsupported(
            f"backbone {name!r}: {reason}; prompts need a timm VisionTransformer with pre-norm "
            "blocks, such as vit_base_patch16_224; `spt backbones` lists them"
        )
    return model


def why_refused(model: Any) -> str | None:
    """Return why a model cannot carry prompts, or None if it can."""
    if type(model) not in _KINDS:
        return f"it is a {type(model).__name__}"
    faults = {
        f"timm pools its tokens by {model.global_pool!r}": usual_read_out(model) is None,
        "it normalises both tokens and pooled feature": not (
            isinstance(model.norm, nn.Identity) or isinstance(model.fc_norm, nn.Identity)
        ),
    }
    found = (fault for fault, is_there in faults.items() if is_there)
    of_blocks = filter(None, map(why_not, model.blocks))
    return next(found, None) or oddity(model) or next(of_blocks, None)


def _resized(trunk: Trunk, name: str, image_size: int | None) -> Trunk:
    if image_size is None:
        return trunk
    patch = trunk.patch_embed.feat_ratio()
    if image_size % patch or image_size < patch:
        below = max(image_size // patch, 1) * patch
        raise BackboneUnsupported(
            f"backbone {name!r}: image_size expected a multiple of its patch of {patch} pixels, "
            f"found {image_size}; choose {below} or {below + patch}"
        )
    trunk.set_input_size((image_size, image_size))
    return trunk
