"""Only prompts and head are trained, and they compute what the paper's token form computes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from toy import toy_pixels

from adapters.adapter import Adapter
from adapters.backbone import Backbone
from adapters.spec import Pooling
from tests.artifacts import make_adapter
from tests.reference import reference_feature
from tests.tiny import tiny_backbone
from trainer.classifier import PromptedClassifier, parameter_groups
from trainer.recipe import OptimRecipe

L, P, D, C = 3, 4, 16, 5
PROMPTS = {"deep": (L, P, D), "shallow": (1, P, D), "linear": None}
OPTIM = OptimRecipe(lr=1e-3, prompt_lr=2e-3, prompt_weight_decay=0.01, head_weight_decay=0.5)
SIZES = {"deep": L * P * D + C * D + C, "shallow": P * D + C * D + C, "linear": C * D + C}


def make_model(form: str, backbone: Backbone | None = None) -> PromptedClassifier:
    torch.manual_seed(0)
    shape = PROMPTS[form]
    prompts = None if shape is None else torch.randn(shape) * 0.3
    return PromptedClassifier(backbone or tiny_backbone(), C, prompts)


def step(model: PromptedClassifier, lr: float = 1e-2) -> tuple[float, float]:
    """Take one step of AdamW on one batch; return the loss before and after."""
    pixels, labels = toy_pixels(6)
    groups = parameter_groups(model, OPTIM)
    optimizer = torch.optim.AdamW(groups, lr=lr)
    before = F.cross_entropy(model(pixels), labels)
    before.backward()
    optimizer.step()
    return before.item(), F.cross_entropy(model(pixels), labels).item()


@pytest.mark.parametrize("form", PROMPTS)
def test_the_number_of_trainable_parameters_is_the_formulas(form: str):
    trainable = [p for p in make_model(form).parameters() if p.requires_grad]
    assert sum(p.numel() for p in trainable) == SIZES[form]


@pytest.mark.parametrize("form", PROMPTS)
def test_a_step_changes_prompts_and_head_and_leaves_the_trunk_alone(form: str):
    model = make_model(form)
    trunk = model.backbone.trunk
    frozen, trained = copy.deepcopy(trunk.state_dict()), copy.deepcopy(model.state_dict())
    step(model)
    assert all(p.grad is None and not p.requires_grad for p in trunk.parameters())
    assert all(torch.equal(frozen[k], v) for k, v in trunk.state_dict().items())
    assert all(p.grad is not None for p in model.parameters())
    assert not any(torch.equal(trained[k], v) for k, v in model.state_dict().items())


def test_every_layers_prompts_receive_a_gradient():
    for pooling in ("cls", "mean", "mean-with-prompts"):
        model = make_model("deep", tiny_backbone(pooling=pooling))
        step(model)
        assert (model.prompts.grad.abs().amax(dim=(1, 2)) > 0).all()


@pytest.mark.parametrize("form", PROMPTS)
def test_a_step_lowers_the_loss_of_its_batch(form: str):
    before, after = step(make_model(form), lr=1e-3)
    assert after < before


@pytest.mark.parametrize("form", PROMPTS)
def test_the_state_holds_prompts_and_head_and_nothing_of_the_trunk(form: str):
    expected = {"head.weight", "head.bias"} | ({"prompts"} if PROMPTS[form] else set())
    assert set(make_model(form).state_dict()) == expected


def test_parameter_groups_carry_their_weight_decays():
    model = make_model("deep")
    groups = parameter_groups(model, OPTIM)
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert decays == {
        id(model.head.weight): 0.5,
        id(model.head.bias): 0.0,
        id(model.prompts): 0.01,
    }


def test_prompts_may_have_a_learning_rate_of_their_own():
    peaks = [group["peak"] for group in parameter_groups(make_model("deep"), OPTIM)]
    assert peaks == [1e-3, 1e-3, 2e-3]
    shared = OPTIM.model_copy(update={"prompt_lr": None})
    peaks = [group["peak"] for group in parameter_groups(make_model("deep"), shared)]
    assert peaks == [1e-3, 1e-3, 1e-3]


def test_a_bare_head_has_no_group_of_prompts():
    groups = parameter_groups(make_model("linear"), OPTIM)
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0]


def test_a_new_head_is_small_and_without_bias():
    head = make_model("linear").head
    assert head.weight.abs().max() < 0.1
    assert head.weight.std().item() == pytest.approx(0.02, rel=0.3)
    assert (head.bias == 0).all()


def test_the_given_prompts_are_copied():
    given = torch.zeros(L, P, D)
    model = PromptedClassifier(tiny_backbone(), C, given)
    step(model)
    assert (given == 0).all()


@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts"])
@pytest.mark.parametrize("form", PROMPTS)
def test_logits_equal_those_of_the_token_form(form: str, pooling: Pooling):
    backbone = tiny_backbone(pooling=pooling)
    model = make_model(form, backbone)
    meta = make_adapter(method=f"spt-{form}", backbone=backbone.spec).meta
    adapter = Adapter(model.prompts, model.head.weight, model.head.bias, meta)
    pixels, _ = toy_pixels(4)
    slow = torch.stack([reference_feature(backbone.trunk, adapter, image) for image in pixels])
    torch.testing.assert_close(model(pixels), model.head(slow), rtol=0, atol=1e-5)
