"""Every parameter has the rate and the decay that the recipe says."""

import pytest
import torch

from tests.fakes.tiny import tiny_backbone
from trainer.methods.build import build
from trainer.methods.table import METHODS
from trainer.recipe import Recipe
from trainer.recipe_parts import OptimRecipe
from trainer.training.optimizer import make_optimizer, set_rates

OPTIM = OptimRecipe(lr=1e-3, head_lr=2e-3, weight_decay=0.01, head_weight_decay=0.5, epochs=10)


def groups_of(method: str, optim: OptimRecipe = OPTIM) -> dict[str, tuple[float, float]]:
    """Return peak rate and weight decay of each parameter by its name."""
    recipe = Recipe(task="toy", method=method)
    layers = 1 if METHODS[method].prompts == "shallow" else 3
    prompts = torch.zeros(layers, 2, 16) if recipe.num_prompts else None
    model = build(method, tiny_backbone(), 5, prompts)
    found = {}
    for group in make_optimizer(model, optim).param_groups:
        for parameter in group["params"]:
            name = next(n for n, p in model.named_parameters() if p is parameter)
            found[name] = (group["peak"], group["weight_decay"])
    assert set(found) == {name for name, _ in model.named_parameters()}
    return found


def test_prompts_and_head_have_rates_and_decays_of_their_own():
    assert groups_of("spt-deep") == {
        "prompts": (1e-3, 0.01),
        "head.weight": (2e-3, 0.5),
        "head.bias": (2e-3, 0.0),
    }


def test_the_heads_rate_is_the_common_one_unless_it_is_given():
    found = groups_of("spt-deep", OPTIM.model_copy(update={"head_lr": None}))
    assert {rate for rate, _ in found.values()} == {1e-3}


def test_vectors_do_not_decay_and_matrices_do():
    found = groups_of("full")
    assert found["trunk.norm_weight"] == (1e-3, 0.0)
    assert found["trunk.blocks_0_attn_qkv_bias"] == (1e-3, 0.0)
    assert found["trunk.blocks_0_attn_qkv_weight"] == (1e-3, 0.01)


def test_vectors_may_decay_too_but_never_the_heads_bias():
    found = groups_of("gate-vpt", OPTIM.model_copy(update={"decay": "all"}))
    vectors = {name: decay for name, (_, decay) in found.items() if "head" not in name}
    assert set(vectors.values()) == {0.01}
    assert (found["head.weight"], found["head.bias"]) == ((2e-3, 0.5), (2e-3, 0.0))
    assert 0.0 in {decay for _, decay in groups_of("gate-vpt").values()}


def test_frozen_prompts_are_not_optimised():
    model = build("spt-deep", tiny_backbone(), 5, torch.zeros(3, 2, 16), frozen=True)
    optimizer = make_optimizer(model, OPTIM)
    assert sum(p.numel() for g in optimizer.param_groups for p in g["params"]) == 5 * 17


def test_a_second_head_has_the_rate_and_the_decay_of_heads():
    found = groups_of("moment-probing")
    assert found["moments.classify.weight"] == found["head.weight"] == (2e-3, 0.5)
    assert found["moments.classify.bias"] == found["head.bias"] == (2e-3, 0.0)
    assert found["moments.project.weight"] == (1e-3, 0.01)


@pytest.mark.parametrize(("step", "share"), [(0, 0.0), (5, 0.5), (10, 1.0)])
def test_every_group_warms_up_to_its_own_peak(step: int, share: float):
    model = build("spt-deep", tiny_backbone(), 5, torch.zeros(3, 2, 16))
    optim = OPTIM.model_copy(update={"warmup_epochs": 1.0})
    optimizer = make_optimizer(model, optim)
    set_rates(optimizer, optim, step, steps=10)
    for group in optimizer.param_groups:
        assert group["lr"] == pytest.approx(share * group["peak"])
