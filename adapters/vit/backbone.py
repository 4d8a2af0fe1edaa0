"""The one frozen ViT: built, filled, identified and put to rest in evaluation mode."""

from dataclasses import dataclass
from pathlib import Path

import torch
from timm.data import resolve_data_config

from adapters.artifact.backbone_spec import EMBEDDED, BackboneSpec, FinalNorm, Pooling
from adapters.artifact.preprocessing import Preprocessing
from adapters.vit.architecture import create_trunk
from adapters.vit.blocks.rotation import place_rotations
from adapters.vit.families import Family, Triple, family_of
from adapters.vit.trunk import Trunk
from adapters.vit.weights import digest, load_weights


@dataclass(frozen=True)
class Backbone:
    """A frozen trunk, its identity, and the pixels it was pre-trained on."""

    trunk: Trunk
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


def load_backbone(  # noqa: PLR0913
    name: str = EMBEDDED,
    weights: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    pooling: Pooling | None = None,
    final_norm: FinalNorm | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
) -> Backbone:
    """Build a backbone, load its weights strictly and freeze it.

    Args:
        name: the embedded backbone's name, any plain ViT of timm, or `architecture.mocov3`; its
            tag means the checkpoint's family, which decides what is None below.
        weights: a local checkpoint; None takes the embedded file or timm's hub.
        device: where it will live.
        dtype: the floating type it will compute in.
        pooling: how features are read.
        final_norm: on which side of the pooling the last LayerNorm is. Under the pooling `cls`
            both sides are the same number.
        mean: per channel, of pixels in [0, 1].
        std: likewise, above 0.

    Raises:
        BackboneUnsupported: the name is unknown or the model is not a plain ViT.
        WeightsError: the weights cannot be had or do not fit.
        pydantic.ValidationError: a number of `std` is not above 0.
    """
    trunk = create_trunk(name)
    load_weights(trunk, name, weights)
    trunk.requires_grad_(False).eval()
    place_rotations(trunk)
    family = family_of(name)
    read_out = pooling or family.pooling
    spec = BackboneSpec(
        name=name,
        weights_sha256=digest(trunk),
        width=trunk.embed_dim,
        depth=len(trunk.blocks),
        num_heads=trunk.blocks[0].attn.num_heads,
        image_size=trunk.patch_embed.img_size[0],
        patch_size=trunk.patch_embed.patch_size[0],
        pooling=read_out,
        final_norm=final_norm or _usual_norm(family, read_out),
    )
    usual_mean, usual_std = _usual_pixels(family, trunk)
    preprocessing = Preprocessing(
        resize="squash",
        resize_size=spec.image_size,
        crop=spec.image_size,
        interpolation="bicubic",
        mean=mean or usual_mean,
        std=std or usual_std,
    )
    return Backbone(trunk.to(device, dtype), spec, preprocessing)


def choose_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _usual_norm(family: Family, pooling: Pooling) -> FinalNorm:
    """Return the family's choice; under another pooling, that of timm: after a mean."""
    if pooling == family.pooling:
        return family.final_norm
    return "before-pooling" if pooling == "cls" else "after-pooling"


def _usual_pixels(family: Family, trunk: Trunk) -> tuple[Triple, Triple]:
    if family.mean is not None and family.std is not None:
        return family.mean, family.std
    data = resolve_data_config(model=trunk)
    return data["mean"], data["std"]
