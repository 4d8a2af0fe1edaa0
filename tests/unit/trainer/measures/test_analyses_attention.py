"""Attention is the block's own, complete, and laid out as the patches lie in the image."""

import pytest
import torch
from torch import Tensor

from adapters.artifact.backbone_spec import Pooling
from tests.fakes.tiny import tiny_backbone, tiny_trunk
from trainer.measures.attention import attention_weights, read_out_attention

L, P, D, B = 3, 4, 16, 2
VARIANTS = {"plain": {}, "qk-norm": {"qk_norm": True}, "no-qkv-bias": {"qkv_bias": False}}


def draw_pixels(count: int) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(7))


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_weights_make_timms_block(variant: str):
    trunk = tiny_trunk(**VARIANTS[variant]).double()
    block, tokens = trunk.blocks[1], draw(B, 7, D)
    weights = attention_weights(block, tokens, tokens)
    values = block.attn.qkv(block.norm1(tokens)).unflatten(-1, (3, 2, 8))[:, :, 2]
    mixed = torch.einsum("bhrt,bthd->brhd", weights, values).flatten(2)
    torch.testing.assert_close(block.attn.proj(mixed), block.attn(block.norm1(tokens)))


@pytest.mark.parametrize("pooling", ["cls", "mean", "mean-with-prompts", "map"])
@pytest.mark.parametrize("layers", [L, L - 1, 1, None])
def test_patches_prompts_and_special_tokens_share_all_attention(
    layers: int | None, pooling: Pooling
):
    backbone = tiny_backbone(
        tiny_trunk(reg_tokens=2, global_pool="map"), pooling=pooling, dtype=torch.float64
    )
    prompts = None if layers is None else draw(layers, P, D)
    found = read_out_attention(backbone, prompts, draw_pixels(B))
    assert found.patches.shape == (B, L, 2, 2, 2)
    assert found.special.shape[-1] == 3
    assert found.prompts.shape[-1] == (0 if prompts is None else P)
    whole = found.patches.sum(dim=(-1, -2)) + found.prompts.sum(dim=-1) + found.special.sum(dim=-1)
    torch.testing.assert_close(whole, torch.ones_like(whole))


def test_the_class_tokens_row_is_read_with_timms_own_tokens():
    backbone = tiny_backbone(dtype=torch.float64)
    seen: list[Tensor] = []
    block = backbone.trunk.blocks[-1]
    hook = block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    pixels = draw_pixels(1).double()
    backbone.trunk(pixels)
    hook.remove()
    row = attention_weights(block, seen[0], seen[0])[:, :, 0, 1:]
    found = read_out_attention(backbone, None, pixels)
    torch.testing.assert_close(found.patches[:, -1].flatten(2), row)
    torch.testing.assert_close(found.last_map, row.mean(dim=1).unflatten(-1, (2, 2)))


def test_means_average_the_rows_that_the_read_out_averages():
    prompts, pixels = draw(L, P, D), draw_pixels(1).double()
    maps = {}
    for pooling in ("mean", "mean-with-prompts"):
        backbone = tiny_backbone(pooling=pooling, dtype=torch.float64)
        maps[pooling] = read_out_attention(backbone, prompts, pixels)
    tokens = torch.cat(
        [backbone.trunk._pos_embed(backbone.trunk.patch_embed(pixels)), prompts[:1]], 1
    )
    weights = attention_weights(backbone.trunk.blocks[0], tokens, tokens)
    for pooling, rows in {"mean": slice(1, 5), "mean-with-prompts": slice(1, None)}.items():
        expected = weights[:, :, rows].mean(dim=2)
        torch.testing.assert_close(maps[pooling].patches[:, 0].flatten(2), expected[..., 1:5])
        torch.testing.assert_close(maps[pooling].prompts[:, 0], expected[..., 5:])


def test_the_share_of_prompts_is_none_of_none_and_all_of_keys_that_drown_the_rest():
    backbone, pixels = tiny_backbone(dtype=torch.float64), draw_pixels(B)
    assert (read_out_attention(backbone, None, pixels).prompt_share == 0).all()
    some = read_out_attention(backbone, draw(L, P, D), pixels).prompt_share
    assert some.shape == (B, L)
    assert ((some > 0) & (some < 1)).all()
