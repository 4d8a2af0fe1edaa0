"""What the analyses see is what the model computes."""

import pytest
import torch
from torch import Tensor

from adapters.vit.prompting import DeepPrompts, ShallowPrompts, features, prefix_of
from tests.fakes.tiny import tiny_backbone, tiny_trunk
from trainer.errors import DataError
from trainer.measures.prompted_inputs import BlockInput, prompted_inputs

L, P, D, B = 3, 4, 16, 2


def draw_pixels(count: int) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(7))


def enter(prompts: torch.Tensor | None, **changes: object) -> list[BlockInput]:
    backbone = tiny_backbone(tiny_trunk(**changes), dtype=torch.float64)
    return list(prompted_inputs(backbone, prompts, draw_pixels(B).double()))


@pytest.mark.parametrize("layers", [L, L - 1, 1, None])
def test_the_last_block_on_its_input_gives_the_models_feature(layers: int | None):
    backbone = tiny_backbone(dtype=torch.float64)
    pixels = draw_pixels(B).double()
    prompts = None if layers is None else torch.randn(layers, P, D, dtype=torch.float64)
    rows = None
    if layers == 1:
        rows = ShallowPrompts(prompts.expand(B, -1, -1))
    elif prompts is not None:
        prefix = prefix_of(backbone.trunk, prompts)
        rows = DeepPrompts(prefix.expand(B, *prefix.shape))
    last = list(prompted_inputs(backbone, prompts, pixels))[-1]
    left = last.block(torch.cat([last.tokens, last.prompts], dim=1))
    feature = backbone.trunk.norm(left)[:, 0]
    torch.testing.assert_close(feature, features(backbone.trunk, backbone.spec, pixels, rows))


def test_deep_prompts_enter_every_block_unchanged():
    prompts = torch.randn(L, P, D, dtype=torch.float64)
    for layer, entering in zip(prompts, enter(prompts), strict=True):
        assert torch.equal(entering.prompts, layer.expand(B, -1, -1))


def test_shallow_prompts_travel_and_come_to_differ_between_images():
    prompts = torch.randn(1, P, D, dtype=torch.float64)
    first, *later = enter(prompts)
    assert torch.equal(first.prompts, prompts.expand(B, -1, -1))
    for entering in later:
        assert not torch.allclose(entering.prompts[0], entering.prompts[1])


def test_patches_are_without_class_token_and_registers():
    entering = enter(None, reg_tokens=2)[0]
    assert entering.tokens.shape == (B, 3 + 4, D)
    assert torch.equal(entering.patches, entering.tokens[:, 3:])
    assert entering.prompts.shape == (B, 0, D)


def test_blocks_before_the_first_prompts_have_none():
    prompts = torch.randn(L - 1, P, D, dtype=torch.float64)
    first, *later = enter(prompts)
    assert first.prompts.shape == (B, 0, D)
    for layer, entering in zip(prompts, later, strict=True):
        assert torch.equal(entering.prompts, layer.expand(B, -1, -1))


@pytest.mark.parametrize("shape", [(L + 1, P, D), (L, P, 8)])
def test_prompts_of_another_backbone_are_refused(shape: tuple[int, int, int]):
    with pytest.raises(DataError, match=r"expected 1 to 3 layers, \[M, P, 16\].*found"):
        enter(torch.zeros(shape))


def test_no_graph_is_kept():
    prompts = torch.zeros(L, P, D, dtype=torch.float64, requires_grad=True)
    assert not any(entering.tokens.requires_grad for entering in enter(prompts))
