"""What holds for every method: it trains its parts, all of them, and nothing else."""

import copy
import re

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from adapters.artifact.backbone_spec import FinalNorm, Pooling
from adapters.vit.backbone import Backbone
from adapters.vit.prompting import features
from tests.fakes.tiny import tiny_backbone, tiny_trunk
from tests.unit.trainer.methods.method_models import (
    TRUNKS,
    C,
    D,
    L,
    P,
    make_model,
    method_recipe,
    shaken,
    train_steps,
)
from tests.unit.trainer.toy import toy_pixels
from trainer.errors import RecipeError
from trainer.methods import build as builder
from trainer.methods.table import METHODS
from trainer.recipe_file import load_recipe
from trainer.recipe_parts import TuningRecipe

R, H = 8, 4 * D
HEAD = C * (D + 1)
LAYER_OUTPUTS = L * (D + 3 * D + D + D + H + D) + 2 * D
PATCH_EMBED, BLOCK = (3 * 64 + 1) * D, 2 * D + (D + 1) * 3 * D + (D + 1) * D + D * H + H + H * D + D
BARE = {
    "spt-deep": {"prompts": L * P * D},
    "spt-shallow": {"prompts": P * D},
    "vpt-deep": {"prompts": L * P * D},
    "vpt-shallow": {"prompts": P * D},
    "linear": {},
    "full": {"trunk": D + 5 * D + PATCH_EMBED + L * (BLOCK + 2 * D) + 2 * D},
    "bias": {"biases": LAYER_OUTPUTS},
    "adapter": {"adapters": L * (D + 1 + D + D)},
    "lora": {"updates": 4 * L * R * D},
    "ssf": {"scales": LAYER_OUTPUTS, "shifts": LAYER_OUTPUTS},
    "snf": {"flows": 2 * L * (2 * D + 2 * D + 1)},
    "gate-vpt": {"prompts": P * D, "gates": L - 1, "temperatures": L},
    "e2vpt": {"prompts": L * P * D, "keys_values": 5 * L * D},
    "moment-probing": {"moments": 512 * D + 930 + 2884 * C},
    "vfpt-deep": {"prompts": L * P * D},
    "vfpt-shallow": {"prompts": P * D},
    "pae": {"prompts": L * P * D, "koopman": 3 * D * D},
    "da-vpt": {"prompts": L * P * D},
    "da-vpt-plus": {"prompts": L * P * D, "value_biases": L * D},
    "attention-bias": {"biases": L * D},
}
VIT_B = {"depth": 12, "embed_dim": 768, "num_heads": 12, "patch_size": 8}
STARTS_AT_BACKBONE = ["linear", "full", "bias", "adapter", "lora", "moment-probing"]
STARTS_AT_BACKBONE += ["attention-bias"]


@pytest.fixture(scope="module")
def vit_b() -> Backbone:
    return tiny_backbone(tiny_trunk(**VIT_B))


def with_norm(backbone: Backbone, final_norm: FinalNorm) -> Backbone:
    spec = backbone.spec.model_copy(update={"final_norm": final_norm})
    return Backbone(backbone.trunk, spec, backbone.preprocessing)


def frozen_features(backbone: Backbone, pixels: torch.Tensor) -> torch.Tensor:
    return features(backbone.trunk, backbone.spec, pixels, None)


def test_the_table_names_what_can_be_built_and_what_a_recipe_takes():
    assert set(METHODS) == set(BARE)
    prompted = {name for name, method in METHODS.items() if method.prompts}
    assert prompted == set(builder._WITH_PROMPTS)
    assert set(METHODS) - prompted == set(builder._WITHOUT_PROMPTS)
    assert [method_recipe(name).method for name in METHODS] == list(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_differs_from_its_authors_code_and_its_settings_exist(name: str):
    method, usual = METHODS[name], load_recipe("toy", method=name)
    assert method.code
    assert method.differences
    settings = re.findall(r"`(\w+\.\w+=[^`]+)`", " ".join(method.differences))
    assert {one.partition("=")[0] for one in settings} >= {
        key for key in method.options if key.startswith("tuning.")
    }
    for setting in settings:
        assert load_recipe("toy", [setting], method=name) != usual


def test_options_are_keys_of_a_recipe_and_of_the_methods_that_take_them():
    of_tuning = {f"tuning.{name}" for name in TuningRecipe.model_fields}
    assert of_tuning <= {key for method in METHODS.values() for key in method.options}
    for name, method in METHODS.items():
        assert len(load_recipe("toy", method=name).method_options) == len(method.options)


def test_a_recipe_refuses_a_method_of_another_name():
    with pytest.raises(ValidationError, match="there is no method 'prefix'"):
        method_recipe("prefix")


@pytest.mark.parametrize("name", METHODS)
def test_the_parts_are_those_of_the_formula(name: str):
    model = make_model(name)
    assert model.parts() == BARE[name] | {"head": HEAD}
    assert sum(model.parts().values()) == sum(p.numel() for p in model.parameters())
    assert set(BARE[name]) == {
        part.split()[0].rstrip(":") for part in METHODS[name].parts.split(", ") if "=" not in part
    } - {"nothing"}


@pytest.mark.parametrize(
    ("name", "millions"),
    [("ssf", 0.206), ("lora", 0.295), ("adapter", 0.231), ("snf", 0.074), ("bias", 0.103)],
)
def test_the_counts_on_vit_b_are_those_of_the_literature(
    vit_b: Backbone, name: str, millions: float
):
    parts = builder.build(name, vit_b, C, None).parts()
    assert (sum(parts.values()) - parts["head"]) / 1e6 == pytest.approx(millions, abs=5e-4)


@pytest.mark.parametrize(("num_flows", "millions"), [(0, 0.037), (1, 0.074), (6, 0.258)])
def test_flows_in_a_row_count_as_in_the_papers_tables(
    vit_b: Backbone, num_flows: int, millions: float
):
    count = builder.build("snf", vit_b, C, None, num_flows=num_flows).parts()["flows"]
    assert count == 24 * (2 * 768 + num_flows * (2 * 768 + 1))
    assert count / 1e6 == pytest.approx(millions, abs=5e-4)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_changes_the_parts_and_leaves_the_trunk_alone(name: str):
    model = make_model(name)
    trunk = model.backbone.trunk
    frozen = copy.deepcopy(trunk.state_dict())
    train_steps(model)
    assert all(p.grad is None and not p.requires_grad for p in trunk.parameters())
    assert all(torch.equal(frozen[key], value) for key, value in trunk.state_dict().items())
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_the_state_holds_the_parts_and_nothing_else(name: str):
    model = make_model(name)
    learned = [one for one in model.state_dict().values() if one.is_floating_point()]
    numbers = sum(tensor.numel() for tensor in learned)
    assert numbers == sum(model.parts().values())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts"])
def test_every_parameter_gets_a_gradient_within_two_steps(name: str, pooling: Pooling):
    model = make_model(name, tiny_backbone(pooling=pooling))
    train_steps(model)
    reached = {key for key, p in model.named_parameters() if p.grad.abs().amax() > 0}
    train_steps(model)
    reached |= {key for key, p in model.named_parameters() if p.grad.abs().amax() > 0}
    assert reached == {key for key, _ in model.named_parameters()}


def test_of_an_adapter_that_starts_at_zero_only_a_bias_of_each_block_ever_learns():
    model = make_model("adapter", zero_start=True)
    train_steps(model, steps=5, lr=1e-2)
    moved = {key for key, p in model.named_parameters() if p.abs().amax() > 0}
    assert moved == {"head.weight", "head.bias"} | {f"adapters.{i}.2.bias" for i in range(L)}


@pytest.mark.parametrize("name", METHODS)
def test_a_step_lowers_the_loss_of_its_batch(name: str):
    before, after = train_steps(make_model(name))
    assert after < before


@pytest.mark.parametrize("name", STARTS_AT_BACKBONE)
@pytest.mark.parametrize("trunk", TRUNKS)
def test_features_start_as_the_backbones(name: str, trunk: str):
    backbone = tiny_backbone(tiny_trunk(**TRUNKS[trunk]), dtype=torch.float64)
    pixels = toy_pixels(3)[0].double()
    found = make_model(name, backbone).features(pixels)
    torch.testing.assert_close(found, frozen_features(backbone, pixels), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["ssf", "snf"])
def test_what_moves_tokens_starts_near_the_backbone(name: str):
    backbone, pixels = tiny_backbone(), toy_pixels(16)[0]
    found, start = make_model(name, backbone).features(pixels), frozen_features(backbone, pixels)
    assert 0 < (found - start).norm() < 0.3 * start.norm()


@pytest.mark.parametrize("final_norm", ["before-pooling", "after-pooling"])
@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts"])
@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("name", METHODS)
def test_every_trunk_and_read_out_gives_logits_that_depend_on_the_image(
    name: str, trunk: str, pooling: Pooling, final_norm: FinalNorm
):
    backbone = tiny_backbone(tiny_trunk(**TRUNKS[trunk]), pooling=pooling, dtype=torch.float64)
    model = shaken(make_model(name, with_norm(backbone, final_norm)))
    logits = model(toy_pixels(3)[0].double())
    assert logits.shape == (3, C)
    assert logits.dtype == torch.float64
    assert logits.isfinite().all()
    assert (logits.std(dim=0) > 0).all()


@pytest.mark.parametrize("name", METHODS)
def test_an_image_gets_the_same_logits_in_every_batch(name: str):
    model = shaken(make_model(name, tiny_backbone(dtype=torch.float64)))
    pixels = toy_pixels(4)[0].double()
    alone = torch.cat([model(image[None]) for image in pixels])
    torch.testing.assert_close(model(pixels), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_the_seed_decides_the_start(name: str):
    first, same, other = (make_model(name, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


@pytest.mark.parametrize("name", METHODS)
def test_bfloat16_products_change_the_logits_little_and_the_gradients_reach_everything(name: str):
    model = shaken(make_model(name), by=0.02)
    pixels, labels = toy_pixels(4)
    exact = model(pixels)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(pixels).float()
    (F.cross_entropy(rounded, labels) + model.penalty(labels)).backward()
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.05)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_only_a_bare_head_has_fixed_features(name: str):
    assert make_model(name).has_fixed_features == (name == "linear")


def test_a_norm_without_shift_is_refused_by_name():
    backbone = tiny_backbone(tiny_trunk(norm_layer="rmsnorm"))
    with pytest.raises(RecipeError, match=r"ssf on backbone tiny: blocks.0.norm1 is a RmsNorm"):
        make_model("ssf", backbone)


def test_training_mode_does_not_reach_the_trunk():
    model = make_model("full").train()
    assert model.training
    assert not any(module.training for module in model.backbone.trunk.modules())
