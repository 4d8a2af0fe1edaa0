"""Families of checkpoints: how the files of each are read, and how its features are read out.

One table. Knows names and keys; knows nothing of tensors, files or models.
"""

import re
from dataclasses import dataclass

from adapters.artifact.backbone_spec import EMBEDDED, FinalNorm, Pooling

Triple = tuple[float, float, float]
"""One number per colour channel: red, green, blue."""

_HALF = (0.5, 0.5, 0.5)
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Family:
    """What all checkpoints of one origin have in common.

    Attributes:
        name: one word.
        origin: in a message, what the checkpoint is.
        names: regular expression of the backbone names that mean it.
        mean: per channel, of pixels in [0, 1]; None is what timm says of the name.
        std: likewise.
        read_out: how its features are meant to be read, and on which side of the pooling the last
            LayerNorm is; None is what timm says of the name.
        prefixes: what its files may put before every key; the first that occurs is taken off.
        ignored: starts of keys, after that, which are not the trunk's: classifiers, decoders.
    """

    name: str
    origin: str
    names: str
    mean: Triple | None
    std: Triple | None
    read_out: tuple[Pooling, FinalNorm] | None
    prefixes: tuple[str, ...]
    ignored: tuple[str, ...]


_SUPERVISED_PREFIXES = ("module.", "params/", "opt/target/")
_SUPERVISED_IGNORED = ("head.", "head_dist.", "head/", "pre_logits.", "pre_logits/", "opt/state/")

FAMILIES = (
    Family(
        name="embedded",
        origin="our own MAE",
        names=re.escape(EMBEDDED),
        mean=_HALF,
        std=_HALF,
        read_out=("mean-with-prompts", "after-pooling"),
        prefixes=(),
        ignored=(),
    ),
    Family(
        name="augreg",
        origin="supervised, AugReg",
        names=r".+\.augreg2?_.+",
        mean=_HALF,
        std=_HALF,
        read_out=("cls", "before-pooling"),
        prefixes=_SUPERVISED_PREFIXES,
        ignored=_SUPERVISED_IGNORED,
    ),
    Family(
        name="original",
        origin="supervised, original",
        names=r".+\.orig_in21k.*",
        mean=_HALF,
        std=_HALF,
        read_out=("cls", "before-pooling"),
        prefixes=_SUPERVISED_PREFIXES,
        ignored=_SUPERVISED_IGNORED,
    ),
    Family(
        name="mae",
        origin="MAE",
        names=r".+\.mae",
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        read_out=("mean-with-prompts", "after-pooling"),
        prefixes=("module.",),
        ignored=("decoder_", "mask_token", "head."),
    ),
    Family(
        name="mocov3",
        origin="MoCo v3",
        names=r".+\.mocov3",
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        read_out=("cls", "before-pooling"),
        prefixes=("module.base_encoder.", "module."),
        ignored=("head.", "module.momentum_encoder.", "module.predictor."),
    ),
    Family(
        name="siglip-gap",
        origin="SigLIP without its attention pooling",
        names=r".+_siglip_gap_.+",
        mean=None,
        std=None,
        read_out=None,
        prefixes=_SUPERVISED_PREFIXES,
        ignored=(*_SUPERVISED_IGNORED, "attn_pool."),
    ),
    Family(
        name="other",
        origin="of no family that we know",
        names=r".*",
        mean=None,
        std=None,
        read_out=None,
        prefixes=_SUPERVISED_PREFIXES,
        ignored=_SUPERVISED_IGNORED,
    ),
)


def family_of(name: str) -> Family:
    """Return the family that a backbone's name means, by its tag: `architecture.tag`."""
    return next(family for family in FAMILIES if re.fullmatch(family.names, name))


def architecture_of(name: str) -> str:
    """Return a backbone's name without its tag."""
    return name.partition(".")[0]
