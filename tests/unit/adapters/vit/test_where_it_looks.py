"""Attention of what is read equals that of timm's blocks with prompts as tokens, in float64."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from adapters.artifact.backbone_spec import Pooling
from adapters.vit.adapter import Adapter
from adapters.vit.backbone import Backbone
from adapters.vit.prompting import DeepPrompts, Looks, one_row, prefix_of, where_it_looks
from adapters.vit.read_out import poolings_of
from tests.fakes.artifacts import make_adapter
from tests.fakes.beside import adapter_with
from tests.fakes.other_trunks import BEIT, EVA, other_trunk
from tests.fakes.reference_attention import reference_looks
from tests.fakes.tiny import read_out, tiny_backbone, tiny_trunk

VARIANTS = {
    "plain": {},
    "qk-norm": {"qk_norm": True},
    "registers": {"reg_tokens": 2},
    "siglip": {"class_token": False, "global_pool": "map"},
    "attention-pooling-of-registers-too": {"global_pool": "map", "pool_include_prefix": True}
    | {"class_token": False, "reg_tokens": 1},
}
METHODS = ("spt-deep", "spt-shallow", "linear")


def images(backbone: Backbone, count: int) -> Tensor:
    size, generator = backbone.spec.image_size, torch.Generator().manual_seed(7)
    return torch.randn(count, 3, size, size, generator=generator, dtype=torch.float64)


def look(backbone: Backbone, adapter: Adapter, image: Tensor) -> Looks:
    row = one_row(backbone.trunk, adapter)
    return where_it_looks(backbone.trunk, adapter.meta.backbone, image[None], row)


def assert_equal(found: Looks, row: int, expected: tuple[Tensor, float]) -> None:
    patches, prompts = expected
    assert (found.patches[row] - patches).abs().max() < 1e-12
    assert abs(float(found.prompts[row]) - prompts) < 1e-12
    assert float(found.patches[row].sum()) == pytest.approx(1, abs=1e-12)


def assert_looks_of_every_form(backbone: Backbone) -> None:
    (image,) = images(backbone, 1)
    for pooling in poolings_of(backbone.trunk):
        spec = backbone.spec.model_copy(update=read_out(pooling))
        for method in METHODS:
            adapter = make_adapter(method=method, prompts=5, backbone=spec)
            found = look(backbone, adapter, image)
            assert_equal(found, 0, reference_looks(backbone.trunk, adapter, image))
            is_seen = method != "linear" and pooling != "map"
            assert bool(found.prompts > 0) == is_seen


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_read_out_and_form_of_prompts_on_plain_blocks(variant: str) -> None:
    trunk = tiny_trunk(**VARIANTS[variant])
    assert_looks_of_every_form(tiny_backbone(trunk, dtype=torch.float64))


@pytest.mark.parametrize("name", [*EVA, *BEIT])
def test_every_read_out_and_form_of_prompts_on_other_blocks(name: str) -> None:
    assert_looks_of_every_form(tiny_backbone(other_trunk(name), dtype=torch.float64))


def filled_up(backbone: Backbone, rows: Sequence[Adapter], longest: int) -> DeepPrompts:
    """Return prompts of rows of any lengths, each filled up with large numbers."""
    heads = (2, backbone.spec.width // 2)
    shape = (len(rows), backbone.spec.depth, longest)
    prefix = torch.full((*shape, 2, *heads), 1e3, dtype=torch.float64)
    mask = torch.full(shape, -torch.inf, dtype=torch.float64)
    for i, row in enumerate(rows):
        if row.prompts is not None:
            length = row.prompts.shape[1]
            mask[i, :, :length] = 0
            prefix[i, :, :length] = prefix_of(backbone.trunk, row.prompts.double())
    return DeepPrompts(prefix, mask)


@pytest.mark.parametrize("pooling", ["cls", "mean", "map"])
def test_rows_of_other_lengths_and_of_none_share_a_batch(pooling: Pooling) -> None:
    backbone = tiny_backbone(tiny_trunk(global_pool="map"), pooling=pooling, dtype=torch.float64)
    rows = [
        make_adapter(
            method="spt-deep" if length else "linear",
            seed=length,
            prompts=length,
            backbone=backbone.spec,
        )
        for length in (5, 1, 0, 3)
    ]
    pixels = images(backbone, len(rows))
    prompts = filled_up(backbone, rows, longest=7)
    found = where_it_looks(backbone.trunk, backbone.spec, pixels, prompts)
    for i, (row, image) in enumerate(zip(rows, pixels, strict=True)):
        assert_equal(found, i, reference_looks(backbone.trunk, row, image))


@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts"])
def test_what_is_learned_beside_prompts_counts_as_prompts(pooling: Pooling) -> None:
    backbone = tiny_backbone(pooling=pooling, dtype=torch.float64)
    (image,) = images(backbone, 1)
    for options in ({"keys_values": 3}, {"biases": True}, {"keys_values": 2, "biases": True}):
        adapter = adapter_with(backbone=backbone.spec, **options)
        expected = reference_looks(backbone.trunk, adapter, image)
        assert_equal(look(backbone, adapter, image), 0, expected)


def test_in_bfloat16_it_is_close() -> None:
    exact = tiny_backbone(dtype=torch.float64)
    adapter, (image,) = make_adapter(backbone=exact.spec), images(exact, 1)
    rounded = tiny_backbone(dtype=torch.bfloat16)
    found = look(rounded, adapter, image.to(torch.bfloat16))
    assert found.patches.dtype == torch.float32
    expected = look(exact, adapter, image).patches
    assert (found.patches - expected).abs().max() < 0.05
