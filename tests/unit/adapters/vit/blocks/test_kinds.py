"""Every kind of block under prompts equals timm's own blocks with prompts as tokens, in float64."""

import pytest
import torch
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec, FinalNorm, Pooling
from adapters.vit.adapter import Adapter
from adapters.vit.prompting import DeepPrompts, ShallowPrompts, features, prefix_of
from adapters.vit.trunk import Trunk
from tests.fakes.artifacts import make_adapter
from tests.fakes.both_forms import METHODS, difference
from tests.fakes.other_trunks import BEIT, EVA, other_trunk
from tests.fakes.reference import reference_features
from tests.fakes.tiny import tiny_backbone

NAMES = [*EVA, *BEIT]
READ_OUTS: list[tuple[Pooling, FinalNorm]] = [
    ("cls", "before-pooling"),
    ("mean", "after-pooling"),
    ("mean-with-prompts", "before-pooling"),
]
DTYPE = torch.float64


def made(name: str, pooling: Pooling = "cls") -> tuple[Trunk, BackboneSpec]:
    backbone = tiny_backbone(other_trunk(name), pooling=pooling, dtype=DTYPE)
    return backbone.trunk, backbone.spec


def images(trunk: Trunk, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    size = (count, 3, *trunk.patch_embed.img_size)
    return torch.randn(size, generator=generator, dtype=DTYPE)


def masked(trunk: Trunk, rows: list[Adapter], longest: int) -> DeepPrompts:
    """Return prompts of rows of any lengths, each filled up with large numbers."""
    prefix = torch.full((len(rows), 2, longest, 2, 2, 16), 1e3, dtype=DTYPE)
    mask = torch.full((len(rows), 2, longest), -torch.inf, dtype=DTYPE)
    for i, row in enumerate(rows):
        if row.prompts is not None:
            length = row.prompts.shape[1]
            mask[i, :, :length] = 0
            prefix[i, :, :length] = prefix_of(trunk, row.prompts.double())
    return DeepPrompts(prefix, mask)


@pytest.mark.parametrize("name", NAMES)
def test_prompts_of_every_form_equal_timms_blocks_with_prompts_as_tokens(name: str):
    trunk, spec = made(name)
    pixels = images(trunk, 3)
    for pooling, norm in READ_OUTS:
        read = spec.model_copy(update={"pooling": pooling, "final_norm": norm})
        for method in METHODS:
            error = difference(trunk, read, method, pixels, prompts=7)
            assert error < 1e-10, (pooling, method)


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_other_lengths_and_of_none_share_a_batch(name: str):
    trunk, spec = made(name)
    lengths, pixels = (5, 1, 0, 3), images(trunk, 4)
    for pooling in ("cls", "mean"):
        read = spec.model_copy(update={"pooling": pooling})
        rows = [
            make_adapter(method="spt-deep" if n else "linear", seed=n, prompts=n, backbone=read)
            for n in lengths
        ]
        found = features(trunk, read, pixels, masked(trunk, rows, longest=7))
        assert (found - reference_features(trunk, rows, pixels)).abs().max() < 1e-12, pooling


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_prompts_equal_those_of_timms_blocks(name: str):
    trunk, spec = made(name)
    pixels = images(trunk, 1)
    for method in ("spt-deep", "spt-shallow"):
        row = make_adapter(method=method, prompts=4, backbone=spec)
        gradients = []
        for fast in (True, False):
            prompts = row.prompts.double().requires_grad_()
            own = Adapter(prompts, row.head_weight, row.head_bias, row.meta)
            if fast:
                is_deep = row.is_deep
                given = prefix_of(trunk, prompts)[None] if is_deep else prompts
                form = DeepPrompts if is_deep else ShallowPrompts
                found = features(trunk, spec, pixels, form(given))
            else:
                found = reference_features(trunk, [own], pixels)
            gradients.append(torch.autograd.grad(found.square().sum(), prompts)[0])
        assert gradients[0].abs().max() > 0
        torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_without_prompts_the_trunk_is_timms_own(name: str):
    trunk, spec = made(name)
    usual = {"token": ("cls", "before-pooling"), "avg": ("mean", "before-pooling")}
    pooling, norm = usual[trunk.global_pool]
    read = spec.model_copy(update={"pooling": pooling, "final_norm": norm})
    pixels = images(trunk, 2)
    torch.testing.assert_close(features(trunk, read, pixels, None), trunk(pixels))
