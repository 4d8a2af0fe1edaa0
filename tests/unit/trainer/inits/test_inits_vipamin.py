"""VIPAMIN: prompts are means of the tokens they would look at, and of what no token says."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from adapters.vit.trunk import Trunk
from tests.fakes.tiny import tiny_backbone, tiny_trunk
from tests.unit.trainer.toy import make_toy_folder, toy_recipe
from trainer.data.load import load_task
from trainer.errors import RecipeError
from trainer.inits.first_prompts import first_prompts
from trainer.inits.uniform import uniform_prompts
from trainer.training.images import ImageSet, batches

P, D = 5, 16


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    folder = make_toy_folder(tmp_path_factory.mktemp("data") / "toy")
    return ImageSet(load_task("toy", folder).train, tiny_backbone().preprocessing)


def make(images: ImageSet, trunk: Trunk, **prompt: object) -> Tensor:
    """Return the prompts that a recipe makes of all images."""
    method = str(prompt.pop("method", "vpt-deep"))
    settings = {"num_tokens": P, "init": "vipamin", "init_images": len(images)} | prompt
    made = first_prompts(toy_recipe(method=method, prompt=settings), tiny_backbone(trunk), images)
    assert made.prompts is not None
    return made.prompts


def means(images: ImageSet, trunk: Trunk) -> list[dict[str, Tensor]]:
    """Return, of each block, mean inputs, keys and attention outputs, by timm's own forward."""
    seen: list[dict[str, Tensor]] = [{} for _ in trunk.blocks]
    hooks = []
    for i, block in enumerate(trunk.blocks):

        def note(name: str, i: int = i):
            return lambda _, inputs: seen[i].update({name: inputs[0].mean(dim=0)})

        hooks += [block.register_forward_pre_hook(note("tokens"))]
        hooks += [block.attn.proj.register_forward_pre_hook(note("attended"))]
        hooks += [
            block.attn.qkv.register_forward_hook(
                lambda _, __, out, i=i: seen[i].update(keys=out.mean(dim=0)[:, D : 2 * D])
            )
        ]
    trunk(torch.cat([pixels.cpu() for pixels, _ in batches(images, 64)]))
    for hook in hooks:
        hook.remove()
    return seen


def starts(layers: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return uniform_prompts(tiny_backbone().spec, (layers, P), generator)


def test_a_prompt_is_the_mean_of_the_patches_whose_keys_are_nearest_to_its_own(images: ImageSet):
    trunk = tiny_trunk()
    made = make(images, trunk, match_tokens=2, orthogonal_share=0.0)
    for block, layer, start, seen in zip(
        trunk.blocks, made, starts(3), means(images, trunk), strict=True
    ):
        for prompt, random in zip(layer, start, strict=True):
            own = block.attn.qkv(block.norm1(random))[D : 2 * D]
            cosines = [F.cosine_similarity(own, key, dim=0).item() for key in seen["keys"][1:]]
            best = sorted(range(4), key=lambda n: cosines[n], reverse=True)[:2]
            expected = sum(seen["tokens"][1 + n] for n in best) / 2
            torch.testing.assert_close(prompt, expected, rtol=1e-4, atol=1e-4)


def test_values_of_the_other_part_are_orthogonal_to_all_that_attention_makes(images: ImageSet):
    trunk = tiny_trunk()
    made = make(images, trunk, orthogonal_share=1.0)
    for block, layer, start, seen in zip(
        trunk.blocks, made, starts(3), means(images, trunk), strict=True
    ):
        weight, bias = block.attn.qkv.weight[2 * D :], block.attn.qkv.bias[2 * D :]
        values, before = layer @ weight.T + bias, start @ weight.T + bias
        shares = values @ F.normalize(seen["attended"], dim=1).T
        assert shares.abs().max() < 1e-3 * values.norm(dim=1).max()
        lost = values - before
        left = torch.linalg.lstsq(seen["attended"].T, lost.T).solution
        torch.testing.assert_close(seen["attended"].T @ left, lost.T, rtol=1e-3, atol=1e-3)


def test_both_parts_are_mixed_by_the_share(images: ImageSet):
    trunk = tiny_trunk()
    matched, other, mixed = (make(images, trunk, orthogonal_share=s) for s in (0.0, 1.0, 0.25))
    torch.testing.assert_close(mixed, 0.75 * matched + 0.25 * other)


def test_shallow_and_later_prompts_are_those_of_their_blocks(images: ImageSet):
    trunk, every = tiny_trunk(), make(images, tiny_trunk(), orthogonal_share=0.0, match_tokens=4)
    shallow = make(images, trunk, method="vpt-shallow", orthogonal_share=0.0, match_tokens=4)
    later = make(images, trunk, first_block=1, orthogonal_share=0.0, match_tokens=4)
    torch.testing.assert_close(shallow, every[:1])
    torch.testing.assert_close(later, every[1:])


def test_where_tokens_span_every_direction_none_is_left(tmp_path: Path, images: ImageSet):
    wide = tiny_trunk(patch_size=4)
    with pytest.raises(RecipeError, match="17 tokens of an image span all 16 directions"):
        make(images, wide)
    assert make(images, wide, orthogonal_share=0.0).shape == (3, P, D)
