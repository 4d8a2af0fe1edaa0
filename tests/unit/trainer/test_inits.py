"""Prompts start as real patch tokens of the layer that they enter (paper 3.4)."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from toy import toy_pixels

from tests.tiny import tiny_backbone, tiny_trunk
from trainer.inits import random_tokens

P, B = 5, 4
TRUNKS = {"plain": {}, "registers": {"reg_tokens": 2}, "position-on-patches": {"no_embed_class": 1}}


def draw(trunk: VisionTransformer, seed: int = 0, *, layers: int = 3, tokens: int = P) -> Tensor:
    return random_tokens(
        tiny_backbone(trunk),
        toy_pixels(B)[0],
        num_tokens=tokens,
        num_layers=layers,
        generator=torch.Generator().manual_seed(seed),
    )


def tokens_entering(trunk: VisionTransformer) -> list[Tensor]:
    """Return the input of each block, by timm's own forward: class token first."""
    seen: list[Tensor] = []
    hooks = [
        block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        for block in trunk.blocks
    ]
    trunk(toy_pixels(B)[0])
    for hook in hooks:
        hook.remove()
    return seen


def nearest(prompts: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far each prompt is from the nearest candidate, and which that is."""
    return (prompts[:, None] - candidates[None]).abs().amax(dim=2).min(dim=1)


@pytest.mark.parametrize("variant", TRUNKS)
def test_every_prompt_is_a_patch_token_that_enters_its_block(variant: str):
    trunk = tiny_trunk(**TRUNKS[variant])
    special = trunk.num_prefix_tokens
    for prompts, entering in zip(draw(trunk), tokens_entering(trunk), strict=True):
        assert nearest(prompts, entering[:, special:].flatten(0, 1))[0].max() < 1e-4
        assert nearest(prompts, entering[:, :special].flatten(0, 1))[0].min() > 1e-2


def test_the_first_layers_prompts_carry_the_position_embedding():
    trunk = tiny_trunk()
    bare = trunk.patch_embed(toy_pixels(B)[0])
    with_position = (bare + trunk.pos_embed[:, 1:]).flatten(0, 1)
    first = draw(trunk)[0]
    assert nearest(first, with_position)[0].max() == 0
    assert nearest(first, bare.flatten(0, 1))[0].min() > 1e-2


def test_each_layer_draws_other_tokens_and_none_of_them_twice():
    trunk = tiny_trunk()
    drawn = [
        nearest(prompts, entering[:, 1:].flatten(0, 1))[1].tolist()
        for prompts, entering in zip(draw(trunk), tokens_entering(trunk), strict=True)
    ]
    assert all(len(set(indices)) == P for indices in drawn)
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]


def test_the_seed_decides_the_draw():
    trunk = tiny_trunk()
    assert torch.equal(draw(trunk, seed=1), draw(trunk, seed=1))
    assert not torch.equal(draw(trunk, seed=1), draw(trunk, seed=2))


def test_shallow_prompts_are_one_layer_and_that_of_the_deep_draw():
    trunk = tiny_trunk()
    shallow = draw(trunk, layers=1)
    assert shallow.shape == (1, P, 16)
    assert torch.equal(shallow[0], draw(trunk)[0])


def test_as_many_prompts_as_there_are_patch_tokens_are_all_of_them():
    trunk = tiny_trunk()
    every = draw(trunk, layers=1, tokens=B * 4)[0]
    assert sorted(nearest(every, tokens_entering(trunk)[0][:, 1:].flatten(0, 1))[1]) == list(
        range(B * 4)
    )


def test_prompts_carry_no_graph_of_the_trunk():
    assert not draw(tiny_trunk().requires_grad_(True)).requires_grad
