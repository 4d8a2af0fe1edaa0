"""Prefix keys and values equal prompt tokens, in float64, for every variant of trunk and form."""

from typing import get_args

import pytest
import torch
from timm.models.deit import VisionTransformerDistilled

from adapters.artifact.backbone_spec import Pooling
from adapters.vit.blocks.attention import run_block
from adapters.vit.prompting import DeepPrompts, Prompts, ShallowPrompts, features, prefix_of
from adapters.vit.read_out import usual_read_out
from tests.fakes.artifacts import make_adapter
from tests.fakes.reference import reference_feature
from tests.fakes.tiny import tiny_backbone, tiny_trunk

VARIANTS = {
    "plain": {},
    "layer-scale": {"init_values": 0.1},
    "qk-norm": {"qk_norm": True},
    "no-qkv-bias": {"qkv_bias": False},
    "registers": {"reg_tokens": 2},
    "position-on-patches-only": {"no_embed_class": True},
    "no-position": {"pos_embed": "none"},
    "clip": {"pre_norm": True},
    "own-norm-of-the-mean": {"global_pool": "avg"},
    "no-class-token": {"class_token": False, "global_pool": "avg", "fc_norm": False},
    "no-class-token-own-norm": {"class_token": False, "global_pool": "avg"},
    "siglip": {"class_token": False, "global_pool": "map"},
    "attention-pooling-of-registers-too": {"global_pool": "map", "pool_include_prefix": True}
    | {"class_token": False, "reg_tokens": 1},
    "no-last-norm": {"final_norm": False},
    "distilled": {"kind": VisionTransformerDistilled},
}


def has_part_for(pooling: str, variant: str) -> bool:
    changes = VARIANTS[variant]
    needs = {"cls": changes.get("class_token", True), "map": changes.get("global_pool") == "map"}
    return needs.get(pooling, True)


def read_outs(*poolings: str) -> list[tuple[str, str]]:
    """Return every variant with every one of these poolings that it has."""
    return [(v, p) for v in VARIANTS for p in poolings if has_part_for(p, v)]


def stack(trunk, adapters) -> Prompts:
    """Build per-row prompts the way the bank and the engine do."""
    if adapters[0].prompts is None:
        return None
    prompts = [a.prompts.double() for a in adapters]
    if len(prompts[0]) == 1:
        return ShallowPrompts(torch.stack([p[0] for p in prompts]))
    prefix = torch.stack([prefix_of(trunk, p) for p in prompts])
    return DeepPrompts(prefix, last=torch.stack([p[-1] for p in prompts]))


@pytest.mark.parametrize("norm", ["before-pooling", "after-pooling"])
@pytest.mark.parametrize("method", ["spt-deep", "spt-shallow", "linear"])
@pytest.mark.parametrize(("variant", "pooling"), read_outs(*get_args(Pooling)))
def test_every_form_equals_its_token_form_with_another_prompt_on_each_row(
    variant, method, pooling, norm
):
    trunk = tiny_trunk(**VARIANTS[variant]).double()
    spec = tiny_backbone(trunk, dtype=torch.float64).spec.model_copy(
        update={"pooling": pooling, "final_norm": norm}
    )
    adapters = [make_adapter(method=method, seed=i, prompts=5, backbone=spec) for i in range(4)]
    pixels = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    fast = features(trunk, spec, pixels, stack(trunk, adapters))
    slow = torch.stack(
        [reference_feature(trunk, a, p) for a, p in zip(adapters, pixels, strict=True)]
    )
    assert (fast - slow).abs().max() < 1e-12


@pytest.mark.parametrize(("variant", "pooling"), read_outs("cls", "mean", "map"))
def test_rows_of_other_lengths_share_a_batch_and_what_fills_them_up_does_not_matter(
    variant, pooling
):
    trunk = tiny_trunk(**VARIANTS[variant]).double()
    spec = tiny_backbone(trunk, pooling=pooling, dtype=torch.float64).spec
    lengths = (5, 1, 0, 3)
    adapters = [
        make_adapter(
            method="spt-deep" if length else "linear", seed=i, prompts=length, backbone=spec
        )
        for i, length in enumerate(lengths)
    ]
    pixels = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    poison = torch.full((4, 3, 7, 2, 2, 8), 1e3, dtype=torch.float64)
    mask = torch.full((4, 3, 7), -torch.inf, dtype=torch.float64)
    for i, (adapter, length) in enumerate(zip(adapters, lengths, strict=True)):
        mask[i, :, :length] = 0
        if adapter.prompts is not None:
            poison[i, :, :length] = prefix_of(trunk, adapter.prompts.double())
    fast = features(trunk, spec, pixels, DeepPrompts(poison, mask))
    slow = torch.stack(
        [reference_feature(trunk, a, p) for a, p in zip(adapters, pixels, strict=True)]
    )
    assert (fast - slow).abs().max() < 1e-12


@pytest.mark.parametrize(("variant", "pooling"), read_outs(*get_args(Pooling)))
def test_prompts_that_begin_at_a_later_block_equal_their_token_form(variant, pooling):
    trunk = tiny_trunk(depth=5, **VARIANTS[variant]).double()
    spec = tiny_backbone(trunk, pooling=pooling, dtype=torch.float64).spec
    adapters = [make_adapter(seed=i, first_block=3, backbone=spec) for i in range(3)]
    pixels = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    fast = features(trunk, spec, pixels, stack(trunk, adapters))
    slow = torch.stack(
        [reference_feature(trunk, a, p) for a, p in zip(adapters, pixels, strict=True)]
    )
    assert (fast - slow).abs().max() < 1e-12


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "distilled"])
def test_without_prompts_and_read_out_as_timm_does_the_trunk_is_timms_own(variant):
    """timm's distilled model has two heads and averages what they read: ours reads one token."""
    trunk = tiny_trunk(**VARIANTS[variant]).double()
    pooling, norm = usual_read_out(trunk)
    spec = tiny_backbone(trunk, pooling=pooling, dtype=torch.float64).spec
    spec = spec.model_copy(update={"final_norm": norm})
    pixels = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(features(trunk, spec, pixels, None), trunk(pixels))


def test_gradients_of_prompts_equal_those_of_the_token_form():
    trunk = tiny_trunk().double()
    spec = tiny_backbone(trunk, dtype=torch.float64).spec
    adapter = make_adapter(prompts=5, backbone=spec)
    pixels = torch.randn(1, 3, 16, 16, dtype=torch.float64)
    gradients = []
    for form in ("prefix", "tokens"):
        prompts = adapter.prompts.double().requires_grad_()
        if form == "prefix":
            feature = features(trunk, spec, pixels, DeepPrompts(prefix_of(trunk, prompts)[None]))[0]
        else:
            row = type(adapter)(prompts, adapter.head_weight, adapter.head_bias, adapter.meta)
            feature = reference_feature(trunk, row, pixels[0])
        gradients.append(torch.autograd.grad(feature.square().sum(), prompts)[0])
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [0, 2])
def test_attention_with_gradients_in_bfloat16_is_that_of_double_precision_within_rounding(length):
    """Where gradients are wanted, `run_block` spells the attention out; masked keys stay out."""
    trunk = tiny_trunk().double()
    block, tokens = trunk.blocks[1], torch.randn(2, 5, 16, dtype=torch.float64)
    prefix = torch.randn(2, 3, 2, 2, 8, dtype=torch.float64)
    mask = torch.zeros(2, 1, 1, 8, dtype=torch.float64)
    mask[..., :length] = -torch.inf
    outputs, gradients = [], []
    for dtype in (torch.float64, torch.bfloat16):
        given = prefix.to(dtype).requires_grad_()
        out = run_block(
            block.to(dtype), tokens.to(dtype), prefix=given, mask=mask.to(dtype) if length else None
        )
        outputs.append(out.double())
        gradients.append(torch.autograd.grad(out.double().square().sum(), given)[0].double())
    for exact, half in (outputs, gradients):
        assert (exact - half).norm() < 0.05 * exact.norm()
    assert not gradients[1][:, :length].any()
