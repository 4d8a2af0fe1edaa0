"""FP8 rounds weights once and each token by itself, is near float64, and needs a device for it."""

import pytest
import torch
from torch import nn

from serving.errors import ConfigError
from serving.rounding.fp8 import HIGHEST, Fp8Linear, require_fp8, round_rows, round_trunk
from serving.trunk.cpu import CpuBackend
from tests.fakes.other_trunks import other_trunk
from tests.fakes.rows import expected_of, features_of, some_rows
from tests.fakes.tiny import tiny_backbone, tiny_trunk

HALF_STEP = 2**-4
"""The largest relative error of a number with three bits of fraction."""


def distance(found, expected):
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_every_row_is_rounded_in_units_of_its_own_largest_number(kind):
    sizes = torch.tensor([1e-6, 1.0, 1e4, torch.finfo(kind).max / 8])
    exact = (torch.randn(4, 64).clamp(-4, 4) * sizes[:, None]).to(kind)
    rounded, scales = round_rows(exact)
    assert torch.equal(rounded.float().abs().amax(dim=1), torch.full((4,), HIGHEST))
    found = rounded.double() * scales
    is_normal = exact.abs() > exact.abs().amax(dim=1, keepdim=True) / 2**14
    errors = (found - exact).abs() / exact.abs()
    assert errors[is_normal].max() <= HALF_STEP * 1.001


def test_a_row_of_zeros_stays_and_one_that_is_no_number_is_none():
    rounded, scales = round_rows(torch.tensor([[0.0] * 16, [torch.nan] * 16, [1.0] * 16]))
    found = rounded.float() * scales
    assert found.isfinite().all(dim=1).tolist() == [True, False, True]
    assert not found[0].any()


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_is_near_its_exact_one_whatever_the_outliers_of_other_tokens(kind, bias):
    exact = nn.Linear(64, 32, bias=bias).to(kind).requires_grad_(False)
    tokens = torch.randn(2, 5, 64, dtype=kind)
    tokens[1, 4, 7] = 1e4
    found, expected = Fp8Linear(exact)(tokens), exact.double()(tokens.double())
    assert found.dtype == kind
    for one, other in zip(found.flatten(0, 1), expected.flatten(0, 1), strict=True):
        assert 1e-3 < distance(one, other) < HALF_STEP


ATTENTION_POOLED = {"global_pool": "map", "pre_norm": True}


@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts", "map"])
@pytest.mark.parametrize("changes", [{}, {"qk_norm": True, "init_values": 0.1}], ids=str)
def test_features_are_within_the_error_of_fp8_of_float64(pooling, changes):
    changes = changes | ATTENTION_POOLED if pooling == "map" else changes
    backbone = tiny_backbone(tiny_trunk(**changes), pooling=pooling)
    lengths = (4,) if pooling == "mean-with-prompts" else (4, 0, 7)
    adapters, residents, pixels = some_rows(backbone, 3, pooling=pooling, lengths=lengths)
    found = features_of(CpuBackend(round_trunk(backbone)), residents, pixels)
    expected = expected_of(adapters, pixels, tiny_trunk(**changes))
    assert 1e-4 < distance(found, expected) < 0.15


def test_weights_are_rounded_once_and_all_else_is_shared():
    backbone = tiny_backbone()
    rounded = round_trunk(backbone)
    _, residents, pixels = some_rows(backbone, 2, lengths=(4, 0))
    before = features_of(CpuBackend(rounded), residents, pixels)
    layers = [m for m in rounded.trunk.modules() if isinstance(m, Fp8Linear)]
    assert len(layers) == 4 * len(backbone.trunk.blocks) - 1
    for block in backbone.trunk.blocks[:-1]:
        for layer in (block.attn.qkv, block.attn.proj, block.mlp.fc1, block.mlp.fc2):
            layer.weight.zero_()
    assert torch.equal(features_of(CpuBackend(rounded), residents, pixels), before)
    own = {id(parameter) for parameter in backbone.trunk.parameters()}
    assert {id(parameter) for parameter in rounded.trunk.parameters()} < own
    assert all(isinstance(m, nn.Linear) for m in (b.attn.qkv for b in backbone.trunk.blocks))


def test_layers_that_no_product_in_fp8_takes_are_refused_by_their_sizes():
    with pytest.raises(ConfigError, match=r"multiples of 16 .* tiny has one of 24 to 72"):
        round_trunk(tiny_backbone(tiny_trunk(embed_dim=24)))


def test_without_a_gpu_the_service_does_not_start_and_says_what_to_choose():
    with pytest.raises(ConfigError, match=r"8\.9 or higher.*found none; choose precision: auto"):
        require_fp8(torch.device("cpu"))


@pytest.mark.parametrize(
    ("capability", "has_fp8"), [((8, 0), False), ((8, 9), True), ((9, 0), True)]
)
def test_a_gpu_without_fp8_is_named(capability, has_fp8, monkeypatch):
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: capability)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: "NVIDIA A100")
    if has_fp8:
        require_fp8(torch.device("cuda"))
        return
    with pytest.raises(ConfigError, match=r"found NVIDIA A100 of 8\.0"):
        require_fp8(torch.device("cuda"))


@pytest.mark.parametrize("name", ["vit_small_patch16_dinov3", "beit_base_patch16_224"])
def test_trunks_with_other_blocks_than_plain_ones_are_refused_by_name(name):
    with pytest.raises(ConfigError, match=r"tiny has blocks of type \w+; choose precision: bf"):
        round_trunk(tiny_backbone(other_trunk(name)))
