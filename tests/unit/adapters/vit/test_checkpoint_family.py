"""The table of families agrees with timm's registry; the paper's backbones can be built."""

import pytest
import timm
import torch

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.vit.architecture import create_trunk
from adapters.vit.families import FAMILIES, architecture_of, family_of

SUPERVISED = {
    "vit_base_patch16_224.augreg_in21k": "augreg",
    "vit_base_patch16_224.orig_in21k": "original",
    "vit_large_patch16_224.augreg_in21k": "augreg",
    "vit_large_patch16_224.orig_in21k": "original",
    "vit_large_patch32_224.orig_in21k": "original",
    "vit_huge_patch14_224.orig_in21k": "original",
}
MAE = {f"vit_{size}_224.mae": "mae" for size in ("base_patch16", "large_patch16", "huge_patch14")}
MOCO = {f"vit_{size}_patch16_224.mocov3": "mocov3" for size in ("small", "base", "large")}
SIZES = {
    "small": (384, 12, 12),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 16),
}


@pytest.mark.parametrize(("name", "family"), (SUPERVISED | MAE | MOCO).items())
def test_every_backbone_of_the_paper_has_its_family(name: str, family: str):
    assert family_of(name).name == family


@pytest.mark.parametrize(
    ("name", "family"),
    [
        (EMBEDDED, "embedded"),
        ("vit_base_patch16_224.augreg2_in21k_ft_in1k", "augreg"),
        ("vit_base_patch16_224.orig_in21k_ft_in1k", "original"),
        ("vit_base_patch16_224.dino", "other"),
        ("vit_base_patch16_224", "other"),
        ("deit_base_patch16_224.fb_in1k", "other"),
        ("", "other"),
    ],
)
def test_a_name_means_a_family_by_its_tag_alone(name: str, family: str):
    assert family_of(name).name == family


@pytest.mark.parametrize("name", SUPERVISED | MAE)
def test_timm_has_the_checkpoint_and_agrees_on_its_pixels(name: str):
    assert timm.is_model_pretrained(name)
    config, family = timm.get_pretrained_cfg(name), family_of(name)
    assert (family.mean, family.std) == (config.mean, config.std)


def test_every_augreg_and_original_vit_of_timm_agrees_on_its_pixels():
    names = [name for name in timm.list_pretrained("vit_*") if ".augreg" in name or ".orig" in name]
    assert len(names) > 20
    for name in names:
        config, family = timm.get_pretrained_cfg(name), family_of(name)
        assert (name, family.mean, family.std) == (name, config.mean, config.std)


@pytest.mark.parametrize("name", SUPERVISED | MAE | MOCO)
def test_every_backbone_of_the_paper_can_be_built(name: str):
    with torch.device("meta"):
        trunk = create_trunk(name)
    size = architecture_of(name).split("_")[1]
    heads = {block.attn.num_heads for block in trunk.blocks}
    assert (trunk.embed_dim, len(trunk.blocks), *heads) == SIZES[size]
    assert {block.norm1.eps for block in trunk.blocks} == {1e-6}


def test_timms_own_small_vit_keeps_its_six_heads():
    with torch.device("meta"):
        assert create_trunk("vit_small_patch16_224").blocks[0].attn.num_heads == 6


def test_no_family_ignores_a_tensor_of_a_trunk():
    with torch.device("meta"):
        keys = create_trunk(EMBEDDED).state_dict().keys()
    for family in FAMILIES:
        assert [key for key in keys if key.startswith(family.ignored)] == []
