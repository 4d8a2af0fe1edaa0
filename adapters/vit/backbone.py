"""The one frozen ViT: built, filled, identified and put to rest in evaluation mode."""

from dataclasses import dataclass
from pathlib import Path

import torch
from timm.data import resolve_data_config

from adapters.artifact.backbone_spec import EMBEDDED, BackboneSpec, FinalNorm, Pooling
from adapters.artifact.preprocessing import Preprocessing
from adapters.errors import BackboneUnsupported
from adapters.vit.architecture import create_trunk
from adapters.vit.blocks.rotation import place_rotations
from adapters.vit.families import Family, Triple, family_of
from adapters.vit.read_out import poolings_of, usual_read_out
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
        return next(self.trunk.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where the trunk's parameters are."""
        return next(self.trunk.parameters()).device


def load_backbone(  # noqa: PLR0913
    name: str = EMBEDDED,
    weights: Path | None = None,
    *,
    image_size: int | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    pooling: Pooling | None = None,
    final_norm: FinalNorm | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
) -> Backbone:
    """Build a backbone, load its weights strictly and freeze it.

    Args:
        name: the embedded backbone's name, a ViT of timm that can carry prompts, or
            `architecture.mocov3`; its tag means the checkpoint's family, which decides what is
            None below. Of no family that we know, timm's own settings do.
        weights: a local checkpoint; None takes the embedded file or timm's hub.
        image_size: side of the input in pixels, a multiple of the patch; None is the model's own.
            The position embedding is resampled to it.
        device: where it will live.
        dtype: the floating type it will compute in.
        pooling: how features are read.
        final_norm: on which side of the pooling the last LayerNorm is. Under the pooling `cls`
            both sides are the same number.
        mean: per channel, of pixels in [0, 1].
        std: likewise, above 0.

    Raises:
        BackboneUnsupported: the name is unknown, or the model cannot carry prompts, take such
            images, or be read out so.
        WeightsError: the weights cannot be had or do not fit.
        pydantic.ValidationError: a number of `std` is not above 0.
    """
    trunk = create_trunk(name, image_size)
    load_weights(trunk, name, weights)
    trunk.requires_grad_(False).eval()
    place_rotations(trunk)
    usual = read_out_of(name, trunk)
    read_out = _possible(trunk, name, pooling or usual[0])
    spec = BackboneSpec(
        name=name,
        weights_sha256=digest(trunk),
        width=trunk.embed_dim,
        depth=len(trunk.blocks),
        num_heads=trunk.blocks[0].attn.num_heads,
        image_size=trunk.patch_embed.img_size[0],
        patch_size=trunk.patch_embed.patch_size[0],
        pooling=read_out,
        final_norm=final_norm or _usual_norm(usual, read_out),
    )
    usual_mean, usual_std = _usual_pixels(family_of(name), trunk)
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


def read_out_of(name: str, trunk: Trunk) -> tuple[Pooling, FinalNorm]:
    """Return how a backbone is read out unless something else is asked for."""
    found = family_of(name).read_out or usual_read_out(trunk)
    assert found is not None, "a trunk without one is refused"
    return found


def _possible(trunk: Trunk, name: str, pooling: Pooling) -> Pooling:
    choices = poolings_of(trunk)
    if pooling not in choices:
        raise BackboneUnsupported(
            f"backbone {name!r} cannot be read out by pooling {pooling}: it has no part for it; "
            f"choose one of {', '.join(choices)}"
        )
    return pooling


def _usual_norm(usual: tuple[Pooling, FinalNorm], pooling: Pooling) -> FinalNorm:
    """Return the usual side; under another pooling than the usual, that of timm: after a mean."""
    if pooling == usual[0]:
        return usual[1]
    return "before-pooling" if pooling in ("cls", "map") else "after-pooling"


def _usual_pixels(family: Family, trunk: Trunk) -> tuple[Triple, Triple]:
    if family.mean is not None and family.std is not None:
        return family.mean, family.std
    data = resolve_data_config(model=trunk)
    return data["mean"], data["std"]
