"""The one frozen ViT: built, filled, identified and put to rest in evaluation mode."""

from dataclasses import dataclass
from pathlib import Path

import torch
from timm.data import resolve_data_config
from timm.models.vision_transformer import VisionTransformer

from adapters.architecture import create_trunk
from adapters.preprocess import Preprocessing
from adapters.spec import EMBEDDED, BackboneSpec, Pooling
from adapters.weights import digest, load_weights

_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Backbone:
    """A frozen trunk, its identity, and the pixels it was pre-trained on."""

    trunk: VisionTransformer
    spec: BackboneSpec
    preprocessing: Preprocessing

    @property
    def num_parameters(self) -> int:
        """Number of frozen parameters."""
        return sum(p.numel() for p in self.trunk.parameters())

    @property
    def dtype(self) -> torch.dtype:
        """The floating type it computes in."""
        return self.trunk.cls_token.dtype

    @property
    def device(self) -> torch.device:
        """Where the trunk's parameters are."""
        return self.trunk.cls_token.device


def load_backbone(
    name: str = EMBEDDED,
    weights: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    pooling: Pooling | None = None,
) -> Backbone:
    """Build a backbone, load its weights strictly and freeze it.

    Args:
        name: the embedded backbone's name or any plain ViT of timm.
        weights: a local checkpoint; None takes the embedded file or timm's hub.
        device: where it will live.
        dtype: the floating type it will compute in.
        pooling: overrides the read-out of the checkpoint's family.

    Raises:
        BackboneUnsupported: the name is unknown or the model is not a plain ViT.
        WeightsError: the weights cannot be had or do not fit.
    """
    trunk = create_trunk(name)
    load_weights(trunk, name, weights)
    trunk.requires_grad_(False).eval()
    read_out = pooling or _family_pooling(name)
    spec = BackboneSpec(
        name=name,
        weights_sha256=digest(trunk),
        width=trunk.embed_dim,
        depth=len(trunk.blocks),
        num_heads=trunk.blocks[0].attn.num_heads,
        image_size=trunk.patch_embed.img_size[0],
        patch_size=trunk.patch_embed.patch_size[0],
        pooling=read_out,
        final_norm="before-pooling" if read_out == "cls" else "after-pooling",
    )
    return Backbone(trunk.to(device, dtype), spec, _preprocessing(trunk, name, spec.image_size))


def choose_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _family_pooling(name: str) -> Pooling:
    """Class token for supervised checkpoints, the official SPT read-out for MAE's."""
    is_mae = name == EMBEDDED or name.endswith(".mae")
    return "mean-with-prompts" if is_mae else "cls"


def _preprocessing(trunk: VisionTransformer, name: str, image_size: int) -> Preprocessing:
    if name == EMBEDDED:
        mean, std = _HALF, _HALF
    else:
        data = resolve_data_config(model=trunk)
        mean, std = data["mean"], data["std"]
    return Preprocessing(
        resize="squash",
        resize_size=image_size,
        crop=image_size,
        interpolation="bicubic",
        mean=mean,
        std=std,
    )
