"""What a step leaves out is what timm and VPT leave out, and nothing else ever does."""

import pytest
import torch
import torch.nn.functional as F
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer

from adapters.vit.prompting import DeepPrompts, ShallowPrompts, features, prefix_of
from tests.fakes.tiny import tiny_backbone, tiny_trunk
from tests.unit.trainer.toy import toy_pixels, toy_recipe
from trainer.methods.build import build
from trainer.methods.prompted import PromptedClassifier
from trainer.recipe import Recipe
from trainer.training.regularising.noise import is_noisy, noise

PIXELS, _ = toy_pixels(6)


def with_drop_path(rate: float, method: str = "linear") -> Recipe:
    return toy_recipe(method=method, optim={"drop_path": rate})


@pytest.mark.parametrize("kind", [VisionTransformer, Eva])
def test_dropped_paths_are_those_of_timms_own_blocks_under_the_same_draws(kind: type):
    rate = 0.6
    backbone = tiny_backbone(tiny_trunk(kind=kind))
    theirs = tiny_trunk(kind=kind, drop_path_rate=rate).train()
    model = build("linear", backbone, 2, None)
    torch.manual_seed(3)
    with noise(model, with_drop_path(rate)):
        ours = model.features(PIXELS)
    torch.manual_seed(3)
    expected = theirs.forward_head(theirs.forward_features(PIXELS), pre_logits=True)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
    plain = model.features(PIXELS)
    assert not torch.allclose(ours, plain)
    torch.testing.assert_close(plain, build("linear", backbone, 2, None).features(PIXELS))


def prompted(layers: int) -> PromptedClassifier:
    torch.manual_seed(0)
    model = build(
        "spt-deep" if layers > 1 else "spt-shallow", tiny_backbone(), 2, torch.randn(layers, 2, 16)
    )
    assert isinstance(model, PromptedClassifier)
    return model


@pytest.mark.parametrize("layers", [1, 3])
def test_dropped_prompts_are_those_of_each_image_in_its_own_forward(layers: int):
    model, rate = prompted(layers), 0.5
    backbone = model.backbone
    torch.manual_seed(7)
    with noise(model, toy_recipe(prompt={"num_tokens": 2, "dropout": rate})):
        ours = model.features(PIXELS)
    torch.manual_seed(7)
    drawn = torch.stack([F.dropout(one.expand(6, -1, -1), rate) for one in model.prompts.detach()])
    for i in range(6):
        own = drawn[:, i]
        prompts = (
            ShallowPrompts(own)
            if layers == 1
            else DeepPrompts(prefix_of(backbone.trunk, own)[None], last=own[-1:])
        )
        alone = features(backbone.trunk, backbone.spec, PIXELS[i : i + 1], prompts)[0]
        torch.testing.assert_close(ours[i], alone, rtol=1e-4, atol=1e-5)
    assert (drawn == 0).any()
    assert model.dropout == 0


def test_dropped_numbers_before_loras_updates_are_those_of_its_unmerged_form():
    torch.manual_seed(0)
    backbone, rate = tiny_backbone(), 0.4
    model = build("lora", backbone, 2, None, dropout=rate)
    torch.nn.init.normal_(model.updates["up"], std=0.3)
    plain = model.features(PIXELS)
    torch.manual_seed(5)
    with noise(model, toy_recipe(method="lora", tuning={"dropout": rate})):
        ours = model.features(PIXELS)
    torch.manual_seed(5)
    hooks = [
        block.attn.qkv.register_forward_hook(
            lambda _, seen, out, d=down, u=up: out + F.dropout(seen[0], rate) @ d.T @ u.T
        )
        for block, down, up in zip(
            backbone.trunk.blocks, model.updates["down"], model.updates["up"], strict=True
        )
    ]
    trunk = backbone.trunk
    theirs = trunk.forward_head(trunk.forward_features(PIXELS), pre_logits=True)
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(ours, plain)
    assert torch.equal(model.features(PIXELS), plain)


def test_prompts_are_whole_again_after_a_step_that_fails():
    model = prompted(3)
    before = model.features(PIXELS)

    def fail() -> None:
        recipe = toy_recipe(
            prompt={"num_tokens": 2, "dropout": 0.5}, optim={"drop_path": 0.5, "epochs": 1}
        )
        with noise(model, recipe):
            raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        fail()
    assert torch.equal(model.features(PIXELS), before)


def test_features_may_be_kept_only_where_no_step_changes_them():
    assert not is_noisy(toy_recipe())
    assert is_noisy(with_drop_path(0.1))
    assert is_noisy(toy_recipe(prompt={"dropout": 0.1}))
    assert is_noisy(toy_recipe(method="lora", tuning={"dropout": 0.1}))
