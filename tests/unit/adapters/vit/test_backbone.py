"""Only plain Vision Transformers become a backbone, and a backbone never changes."""

from pathlib import Path

import pytest
import timm
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import ParallelScalingBlock, ResPostBlock, VisionTransformer

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.errors import BackboneUnsupported
from adapters.vit import backbone as module
from adapters.vit.architecture import create_trunk, require_plain
from adapters.vit.backbone import Backbone, load_backbone
from adapters.vit.prompting import features
from adapters.vit.weights import digest
from tests.fakes.other_trunks import other_trunk
from tests.fakes.tiny import HALF, tiny_backbone, tiny_trunk


@pytest.fixture(scope="module")
def embedded() -> Backbone:
    return load_backbone()


def test_the_embedded_backbone_is_frozen_and_in_evaluation_mode(embedded: Backbone):
    assert not any(parameter.requires_grad for parameter in embedded.trunk.parameters())
    assert not any(part.training for part in embedded.trunk.modules())


def test_the_embedded_backbones_spec_says_what_it_is(embedded: Backbone):
    spec = embedded.spec
    assert (spec.name, spec.depth, spec.width, spec.num_heads) == (EMBEDDED, 6, 192, 3)
    assert (spec.image_size, spec.patch_size) == (64, 8)
    assert (spec.pooling, spec.final_norm) == ("mean-with-prompts", "after-pooling")
    assert spec.weights_sha256 == digest(embedded.trunk)
    assert (embedded.preprocessing.resize_size, embedded.preprocessing.crop) == (64, 64)
    assert embedded.num_parameters == sum(p.numel() for p in create_trunk(EMBEDDED).parameters())
    assert (embedded.dtype, embedded.device.type) == (torch.float32, "cpu")


def test_the_embedded_backbone_tells_images_apart(embedded: Backbone):
    pixels = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = embedded.trunk(pixels)
    assert features.shape == (3, 192)
    assert features.isfinite().all()
    assert (features[0] - features[1]).abs().max() > 1e-3


def test_the_shipped_weights_are_trained_ones(embedded: Backbone):
    torch.manual_seed(0)
    assert digest(create_trunk(EMBEDDED)) != embedded.spec.weights_sha256
    assert load_backbone().spec == embedded.spec


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("resnet18", "it is a ResNet"),
        ("swin_tiny_patch4_window7_224", "it is a SwinTransformer"),
        ("vit_small_patch16_18x2_224", "its blocks are of type ParallelThingsBlock"),
        ("vit_micro_patch9_999", "has no such model"),
        ("vit_micro_patch9_999.mocov3", "has no such model"),
        ("resnet50.mocov3", "it is a ResNet"),
        ("", "has no such model"),
        ("../weights", "has no such model"),
    ],
)
def test_what_cannot_carry_prompts_is_refused_by_name_with_the_reason(name: str, why: str):
    with pytest.raises(BackboneUnsupported, match=rf"{name!r}: .*{why}.*vit_base_patch16_224"):
        create_trunk(name)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"global_pool": "prr"}, "timm pools its tokens by 'prr'"),
        ({"global_pool": "avgmax"}, "timm pools its tokens by 'avgmax'"),
        ({"block_fn": ParallelScalingBlock}, "its blocks are of type ParallelScalingBlock"),
        ({"block_fn": ResPostBlock}, "its blocks are of type ResPostBlock"),
        ({"scale_attn_norm": True}, "its attention gates or normalises its output"),
    ],
    ids=[
        "refined patches",
        "mean and maximum",
        "parallel",
        "post",
        "scaled",
    ],
)
def test_a_vit_with_foreign_parts_is_refused(changes: dict[str, object], why: str):
    settings = {"img_size": 16, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2}
    model = VisionTransformer(num_classes=0, **settings | changes)
    with pytest.raises(BackboneUnsupported, match=f"'strange': {why}"):
        require_plain(model, "strange")


@pytest.mark.parametrize("changes", [{}, {"reg_tokens": 2}, {"qk_norm": True}, {"init_values": 1}])
def test_a_vit_whose_parts_we_compute_exactly_is_taken(changes: dict[str, object]):
    trunk = tiny_trunk(**changes)
    assert require_plain(trunk, "tiny") is trunk


def test_a_plain_vit_of_timm_loads_from_a_file(tmp_path: Path):
    name = "vit_tiny_patch16_224"
    path = tmp_path / "weights.safetensors"
    trunk = create_trunk(name)
    save_file(trunk.state_dict(), path)
    backbone = load_backbone(name, path)
    assert backbone.spec.weights_sha256 == digest(trunk)
    assert (backbone.spec.depth, backbone.spec.width, backbone.spec.image_size) == (12, 192, 224)
    assert (backbone.spec.pooling, backbone.spec.final_norm) == ("cls", "before-pooling")
    assert (backbone.preprocessing.crop, backbone.preprocessing.mean) == (224, (0.5, 0.5, 0.5))
    assert load_backbone(name, path, pooling="mean").spec.pooling == "mean"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every name mean the tiny trunk, with the weights that it has."""
    monkeypatch.setattr(module, "create_trunk", lambda *_: tiny_trunk())
    monkeypatch.setattr(module, "load_weights", lambda *_: None)


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("name", "pooling", "norm", "pixels"),
    [
        (EMBEDDED, "mean-with-prompts", "after-pooling", (HALF, HALF)),
        ("vit_base_patch16_224.mae", "mean-with-prompts", "after-pooling", IMAGENET),
        ("vit_base_patch16_224.mocov3", "cls", "before-pooling", IMAGENET),
        ("vit_base_patch16_224.augreg_in21k", "cls", "before-pooling", (HALF, HALF)),
        ("vit_base_patch16_224.orig_in21k", "cls", "before-pooling", (HALF, HALF)),
        ("vit_base_patch16_224", "cls", "before-pooling", IMAGENET),
    ],
)
def test_the_checkpoints_family_decides_the_read_out_and_the_pixels(
    name: str, pooling: str, norm: str, pixels: tuple[object, object]
):
    backbone = load_backbone(name)
    assert (backbone.spec.pooling, backbone.spec.final_norm) == (pooling, norm)
    assert (backbone.preprocessing.mean, backbone.preprocessing.std) == pixels


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", ["vit_base_patch16_224.mae", "vit_base_patch16_224.orig_in21k"])
def test_every_choice_of_the_family_can_be_overridden_and_is_recorded(name: str):
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    chosen = {"pooling": "mean", "final_norm": "before-pooling", "mean": mean, "std": std}
    backbone = load_backbone(name, **chosen)
    assert (backbone.spec.pooling, backbone.spec.final_norm) == ("mean", "before-pooling")
    assert (backbone.preprocessing.mean, backbone.preprocessing.std) == (mean, std)
    zero = (0.0, 0.0, 0.0)
    assert load_backbone(name, mean=zero).preprocessing.mean == zero


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("name", "pooling", "norm"),
    [
        ("vit_base_patch16_224.mae", "cls", "before-pooling"),
        ("vit_base_patch16_224.mae", "mean", "after-pooling"),
        ("vit_base_patch16_224.mocov3", "mean", "after-pooling"),
    ],
)
def test_another_pooling_has_the_norm_on_its_usual_side(name: str, pooling: str, norm: str):
    assert load_backbone(name, pooling=pooling).spec.final_norm == norm


@pytest.mark.usefixtures("tiny")
def test_under_the_class_token_both_sides_of_the_norm_are_the_same_features():
    pixels = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    before, after = (
        features(backbone.trunk, backbone.spec, pixels, None)
        for norm in ("before-pooling", "after-pooling")
        for backbone in [load_backbone("vit_base_patch16_224.mocov3", final_norm=norm)]
    )
    assert torch.equal(before, after)


@pytest.mark.usefixtures("tiny")
def test_a_deviation_of_zero_is_refused():
    with pytest.raises(ValidationError, match=r"std\.1\s.*greater than 0"):
        load_backbone("vit_base_patch16_224.mae", std=(0.5, 0.0, 0.5))


@pytest.mark.parametrize(
    "name",
    ["vit_small_patch16_dinov3", "eva02_base_patch16_clip_224", "vit_small_patch16_rope_mixed_224"],
)
def test_vits_with_rotary_positions_are_taken(name: str):
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=0, depth=2)
    assert require_plain(model, name) is model


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("eva02_enormous_patch14_clip_224", {}, "its blocks are of type EvaBlockPostNorm"),
        ("vit_base_patch16_sapiens2", {"num_kv_heads": 6}, "its images are 1024 x 768 pixels"),
        ("vit_small_patch16_rope_224", {"img_size": (32, 64)}, "its images are 32 x 64 pixels"),
        ("vit_relpos_base_patch16_cls_224", {}, "it is a VisionTransformerRelPos"),
        (
            "beit_base_patch16_224",
            {"global_pool": "token", "use_shared_rel_pos_bias": True},
            "its blocks share one relative bias",
        ),
    ],
)
def test_kin_of_those_vits_with_other_parts_are_refused(
    name: str, changes: dict[str, object], why: str
):
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=0, depth=2, **changes)
    with pytest.raises(BackboneUnsupported, match=why):
        require_plain(model, name)


def test_rotations_stay_in_float32_where_the_trunk_is_in_less():
    trunk = tiny_backbone(other_trunk("vit_small_patch16_rope_224")).trunk
    exact = trunk.blocks[0].rotation.table.clone()
    assert torch.equal(trunk.to(torch.bfloat16).blocks[1].rotation.table, exact)
    assert trunk.double().blocks[0].rotation.table.dtype == torch.float64
    assert not [name for name in trunk.state_dict() if "rotation" in name]


@pytest.mark.parametrize(
    ("changes", "pooling", "norm"),
    [
        ({}, "cls", "before-pooling"),
        ({"class_token": False, "global_pool": "map"}, "map", "before-pooling"),
        ({"class_token": False, "global_pool": "avg"}, "mean", "after-pooling"),
        (
            {"class_token": False, "global_pool": "avg", "fc_norm": False},
            "mean",
            "before-pooling",
        ),
    ],
    ids=["class token", "siglip", "gap", "gap under a norm"],
)
def test_of_a_family_that_we_do_not_know_the_read_out_is_timms(
    changes: dict[str, object], pooling: str, norm: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "create_trunk", lambda *_: tiny_trunk(**changes))
    monkeypatch.setattr(module, "load_weights", lambda *_: None)
    backbone = load_backbone("vit_base_patch16_224.unheard_of")
    assert (backbone.spec.pooling, backbone.spec.final_norm) == (pooling, norm)
    assert (backbone.dtype, backbone.device.type) == (torch.float32, "cpu")


@pytest.mark.usefixtures("tiny")
def test_a_read_out_that_a_trunk_has_no_part_for_is_refused_with_those_that_it_has():
    with pytest.raises(BackboneUnsupported, match=r"pooling map.*cls, mean, mean-with-prompts$"):
        load_backbone("vit_base_patch16_224.mae", pooling="map")


def test_another_image_size_resamples_the_positions_as_timm_does_and_is_recorded(
    embedded: Backbone,
):
    larger = load_backbone(image_size=96)
    assert (larger.spec.image_size, larger.preprocessing.crop) == (96, 96)
    assert larger.spec.weights_sha256 != embedded.spec.weights_sha256
    positions = resample_abs_pos_embed(embedded.trunk.pos_embed, new_size=[12, 12])
    torch.testing.assert_close(larger.trunk.pos_embed.data, positions, rtol=0, atol=1e-6)
    assert load_backbone(image_size=64).spec == embedded.spec
    pixels = torch.zeros(1, 3, 96, 96)
    assert features(larger.trunk, larger.spec, pixels, None).shape == (1, 192)


@pytest.mark.parametrize(("size", "right"), [(100, "96 or 104"), (5, "8 or 16"), (0, "8 or 16")])
def test_an_image_size_that_patches_do_not_fill_is_refused_with_those_that_they_do(
    size: int, right: str
):
    with pytest.raises(BackboneUnsupported, match=f"patch of 8 .* found {size}; choose {right}"):
        create_trunk(EMBEDDED, size)
