"""Prompts start as what the recipe says: real tokens of the layer they enter, or pools of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from adapters.vit.backbone import Backbone
from adapters.vit.prompting import prefix_of
from tests.fakes.tiny import tiny_backbone, tiny_trunk
from tests.unit.trainer.toy import make_toy_folder, toy_recipe
from trainer.data.load import load_task
from trainer.errors import RecipeError
from trainer.inits.first_prompts import FirstPrompts, first_prompts
from trainer.inits.sample import RandomSample
from trainer.training.images import ImageSet, batches

P, B = 5, 4
TRUNKS = {"plain": {}, "registers": {"reg_tokens": 2}, "position-on-patches": {"no_embed_class": 1}}
TRUNKS |= {"clip": {"pre_norm": True}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_toy_folder(tmp_path_factory.mktemp("data") / "toy")


@pytest.fixture(scope="module")
def images(folder: Path) -> ImageSet:
    return ImageSet(load_task("toy", folder).train, tiny_backbone().preprocessing)


def make(
    images: ImageSet, trunk: VisionTransformer | None = None, seed: int = 0, **prompt: object
) -> FirstPrompts:
    method = str(prompt.pop("method", "spt-deep"))
    recipe = toy_recipe(
        method=method, seed=seed, prompt={"num_tokens": P, "init_images": B} | prompt
    )
    return first_prompts(recipe, tiny_backbone(trunk), images)


def prompts_of(made: FirstPrompts) -> Tensor:
    assert made.prompts is not None
    return made.prompts


def all_pixels(images: ImageSet) -> Tensor:
    """Return them on the CPU, where the tiny trunks are."""
    return torch.cat([pixels.cpu() for pixels, _ in batches(images, 64)])


def entering(trunk: VisionTransformer, images: ImageSet) -> list[Tensor]:
    """Return the input of each block and the last one's output, by timm's own forward."""
    seen: list[Tensor] = []
    hooks = [
        block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        for block in trunk.blocks
    ]
    hooks.append(trunk.blocks[-1].register_forward_hook(lambda *args: seen.append(args[2])))
    trunk(all_pixels(images))
    for hook in hooks:
        hook.remove()
    return seen


def nearest(prompts: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far each prompt is from the nearest candidate, and which that is."""
    return (prompts[:, None] - candidates[None]).abs().amax(dim=2).min(dim=1)


@pytest.mark.parametrize("variant", TRUNKS)
def test_every_sampled_prompt_is_a_patch_token_that_enters_its_block(
    variant: str, images: ImageSet
):
    trunk = tiny_trunk(**TRUNKS[variant])
    special = trunk.num_prefix_tokens
    made = prompts_of(make(images, trunk))
    for prompts, tokens in zip(made, entering(trunk, images)[:-1], strict=True):
        assert nearest(prompts, tokens[:, special:].flatten(0, 1))[0].max() < 1e-4
        assert nearest(prompts, tokens[:, :special].flatten(0, 1))[0].min() > 1e-2


@pytest.mark.parametrize("changes", [{}, {"pre_norm": True, "dynamic_img_size": True}], ids=str)
@pytest.mark.parametrize("position", [True, False])
def test_layer_0_carries_the_position_embedding_or_not_as_asked(
    position: bool, changes: dict[str, bool], images: ImageSet
):
    trunk = tiny_trunk(**changes)
    patches = trunk.patch_embed(all_pixels(images)).flatten(1, -2)
    bare, placed = trunk.norm_pre(patches), trunk.norm_pre(patches + trunk.pos_embed[:, 1:])
    wanted, other = (placed, bare) if position else (bare, placed)
    made = prompts_of(make(images, trunk, layer0_position=position))
    assert nearest(made[0], wanted.flatten(0, 1))[0].max() < 1e-5
    assert nearest(made[0], other.flatten(0, 1))[0].min() > 1e-2
    same = prompts_of(make(images, trunk, layer0_position=not position))
    assert torch.equal(made[1:], same[1:])


def test_each_layer_draws_other_tokens_and_none_of_them_twice(images: ImageSet):
    trunk = tiny_trunk()
    drawn = [
        nearest(prompts, tokens[:, 1:].flatten(0, 1))[1].tolist()
        for prompts, tokens in zip(
            prompts_of(make(images, trunk)), entering(trunk, images)[:-1], strict=True
        )
    ]
    assert all(len(set(indices)) == P for indices in drawn)
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]


@pytest.mark.parametrize("init", ["random", "kmeans", "mean", "max", "uniform", "last-layer"])
def test_the_seed_decides_the_prompts(init: str, images: ImageSet):
    one, again, other = (prompts_of(make(images, init=init, seed=s)) for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_shallow_prompts_are_one_layer_and_that_of_the_deep_draw(images: ImageSet):
    shallow = prompts_of(make(images, method="spt-shallow"))
    assert shallow.shape == (1, P, 16)
    assert torch.equal(shallow[0], prompts_of(make(images))[0])


@pytest.mark.parametrize("init", ["random", "kmeans", "mean"])
def test_blocks_that_have_prompts_get_those_they_would_get_if_all_had(init: str, images: ImageSet):
    every, later = (prompts_of(make(images, init=init, first_block=k)) for k in (0, 1))
    torch.testing.assert_close(later, every[1:])


@pytest.mark.parametrize("init", ["uniform", "first-layer", "last-layer", "rescaled"])
def test_every_init_makes_as_many_layers_as_blocks_have_prompts(init: str, images: ImageSet):
    assert len(prompts_of(make(images, init=init, first_block=1))) == 2


@pytest.mark.parametrize("init", ["random", "uniform"])
def test_prompts_of_fewer_than_two_blocks_are_refused(init: str, images: ImageSet):
    with pytest.raises(RecipeError, match=r"first_block is 2, but tiny has 3 blocks.*0 to 1"):
        make(images, init=init, first_block=2)


def test_as_many_prompts_as_there_are_patch_tokens_are_all_of_them(images: ImageSet):
    trunk = tiny_trunk()
    every = prompts_of(make(images, trunk, method="spt-shallow", num_tokens=B * 4))[0]
    places = nearest(every, entering(trunk, images)[0][:, 1:].flatten(0, 1))[1]
    assert len(set(places.tolist())) == B * 4


def test_more_prompts_than_patch_tokens_are_refused(images: ImageSet):
    words = "num_tokens is 17, but 4 images have only 16 patch tokens to start from"
    with pytest.raises(RecipeError, match=words):
        make(images, num_tokens=17)


@pytest.mark.parametrize(("init", "layer"), [("first-layer", 0), ("last-layer", 3)])
def test_one_layers_tokens_may_start_every_layer(init: str, layer: int, images: ImageSet):
    trunk = tiny_trunk()
    made = prompts_of(make(images, trunk, init=init))
    assert made.shape == (3, P, 16)
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[0], made[2])
    tokens = entering(trunk, images)[layer][:, 1:].flatten(0, 1)
    assert nearest(made[0], tokens)[0].max() < 1e-4


@pytest.mark.parametrize(
    ("amount", "expected"),
    [({"init_images": 3}, 3), ({"init_images": None, "init_proportion": 0.5}, 5)],
)
def test_the_amount_of_images_is_as_asked(
    amount: dict[str, object], expected: int, images: ImageSet
):
    made = make(images, init="mean", **amount)
    assert (made.facts["images"], made.facts["tokens_per_layer"]) == (expected, expected * 4)


def test_kmeans_takes_all_training_images_unless_told_otherwise(images: ImageSet):
    assert make(images, init="kmeans", init_images=None).facts["images"] == len(images)
    assert make(images, init="kmeans").facts["images"] == B


def test_uniform_prompts_lie_within_vpts_bound_and_fill_it():
    made = make_uniform()
    bound = (6 / (3 * 8**2 + 16)) ** 0.5
    assert made.abs().max() <= bound
    assert made.abs().max() > 0.98 * bound
    assert made.mean().abs() < 0.1 * bound


def test_rescaled_points_where_the_random_sample_does_and_is_as_long_as_vpts(images: ImageSet):
    trunk = tiny_trunk()
    sampled, rescaled = (
        prompts_of(make(images, trunk, init=init)) for init in ("random", "rescaled")
    )
    centred = sampled - sampled.mean(dim=-1, keepdim=True)
    assert torch.allclose(torch.cosine_similarity(rescaled, centred, dim=-1), torch.ones(3, P))
    spread = (6 / (3 * 8**2 + 16)) ** 0.5 / 3**0.5
    assert torch.allclose(rescaled.std(dim=-1, correction=0), torch.full((3, P), spread))


def test_rescaled_contributes_the_keys_and_values_of_the_random_sample(images: ImageSet):
    trunk = tiny_trunk()
    sampled, rescaled = (
        prompts_of(make(images, trunk, init=init)) for init in ("random", "rescaled")
    )
    assert torch.allclose(prefix_of(trunk, rescaled), prefix_of(trunk, sampled), atol=1e-3)
    assert (rescaled - sampled).abs().max() > 0.1


def make_uniform() -> Tensor:
    recipe = toy_recipe(method="vpt-deep", prompt={"num_tokens": 50})
    backbone: Backbone = tiny_backbone()
    return prompts_of(first_prompts(recipe, backbone, ImageSet((), backbone.preprocessing)))


@pytest.mark.parametrize("init", ["random", "kmeans", "mean", "max", "first-layer"])
def test_batches_make_no_difference(init: str, images: ImageSet):
    def made(size: int) -> Tensor:
        optim = {"epochs": 1, "batch_size": size}
        prompt = {"num_tokens": P, "init": init, "init_images": 9}
        return prompts_of(
            first_prompts(toy_recipe(prompt=prompt, optim=optim), tiny_backbone(), images)
        )

    assert torch.allclose(made(2), made(9), atol=1e-5)


def test_prompts_carry_no_graph_of_the_trunk(images: ImageSet):
    assert not prompts_of(make(images, tiny_trunk().requires_grad_(True))).requires_grad


def test_tokens_may_be_drawn_more_than_once(images: ImageSet):
    """400 draws out of eight tokens."""
    sample = RandomSample(8, 400, np.random.default_rng(0), replacement=True)
    tokens = torch.arange(8.0)[:, None].reshape(2, 4, 1)
    sample.add(tokens[:1])
    sample.add(tokens[1:])
    made = sample.finish().flatten()
    assert made.shape == (400,)
    assert set(made.tolist()) == set(range(8))
