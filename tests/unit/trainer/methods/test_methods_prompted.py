"""SPT and VPT: prompts and head are trained, and compute what the paper's token form computes."""

import pytest
import torch
import torch.nn.functional as F

from adapters.artifact.backbone_spec import Pooling
from adapters.vit.adapter import Adapter
from tests.fakes.artifacts import make_adapter
from tests.fakes.reference import reference_feature
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.methods.method_models import C, D, L, P, make_model, train_steps
from tests.unit.trainer.toy import toy_pixels
from trainer.methods.prompted import PromptedClassifier

SERVED = ["spt-deep", "spt-shallow", "vpt-deep", "vpt-shallow", "linear"]


@pytest.mark.parametrize("name", ["spt-deep", "spt-shallow"])
@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts"])
def test_the_prompts_of_every_layer_receive_a_gradient(name: str, pooling: Pooling):
    model = make_model(name, tiny_backbone(pooling=pooling))
    pixels, labels = toy_pixels(6)
    F.cross_entropy(model(pixels), labels).backward()
    assert (model.prompts.grad.abs().amax(dim=(1, 2)) > 0).all()


@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts"])
@pytest.mark.parametrize("name", SERVED)
def test_logits_equal_those_of_the_token_form(name: str, pooling: Pooling):
    backbone = tiny_backbone(pooling=pooling, dtype=torch.float64)
    model = make_model(name, backbone)
    meta = make_adapter(method=name, backbone=backbone.spec).meta
    prompts = getattr(model, "prompts", None)
    adapter = Adapter(prompts, model.head.weight, model.head.bias, meta)
    pixels = toy_pixels(4)[0].double()
    slow = torch.stack([reference_feature(backbone.trunk, adapter, image) for image in pixels])
    torch.testing.assert_close(model(pixels), model.head(slow), rtol=0, atol=1e-12)


@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts"])
def test_prompts_that_begin_later_equal_the_token_form_and_learn_in_each_of_their_blocks(
    pooling: Pooling,
):
    backbone = tiny_backbone(pooling=pooling, dtype=torch.float64)
    model = PromptedClassifier(backbone, C, torch.randn(L - 1, P, D)).double()
    meta = make_adapter(first_block=1, backbone=backbone.spec).meta
    adapter = Adapter(model.prompts, model.head.weight, model.head.bias, meta)
    pixels, labels = toy_pixels(4)
    logits = model(pixels.double())
    slow = torch.stack([reference_feature(backbone.trunk, adapter, image) for image in pixels])
    torch.testing.assert_close(logits, model.head(slow), rtol=0, atol=1e-12)
    F.cross_entropy(logits, labels).backward()
    assert (model.prompts.grad.abs().amax(dim=(1, 2)) > 0).all()


def test_a_new_head_is_small_and_without_bias():
    head = make_model("linear").head
    assert head.weight.abs().max() < 0.1
    assert head.weight.std().item() == pytest.approx(0.02, rel=0.3)
    assert (head.bias == 0).all()


@pytest.mark.parametrize("frozen", [False, True])
def test_the_given_prompts_are_copied(frozen: bool):
    given = torch.ones(L, P, D)
    model = PromptedClassifier(tiny_backbone(), C, given, frozen=frozen)
    train_steps(model, lr=1e-2)
    assert (given == 1).all()
    assert torch.equal(model.prompts, given) == frozen


def test_frozen_prompts_are_kept_but_not_trained():
    model = PromptedClassifier(tiny_backbone(), C, torch.ones(L, P, D), frozen=True)
    assert model.parts() == {"head": C * (D + 1)}
    assert model.has_fixed_features
    assert set(model.state_dict()) == {"prompts", "head.weight", "head.bias"}


def test_trained_prompts_leave_no_features_fixed():
    assert not make_model("vpt-shallow").has_fixed_features
