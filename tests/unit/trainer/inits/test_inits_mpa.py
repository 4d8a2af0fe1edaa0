"""PAE's windows of frequencies: which are chosen, and what prompts they make."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from adapters.vit.backbone import Backbone
from tests.fakes.other_trunks import other_trunk
from tests.fakes.tiny import tiny_backbone, tiny_trunk
from tests.unit.trainer.toy import make_toy_folder, toy_recipe
from trainer.data.load import load_task
from trainer.errors import RecipeError
from trainer.inits.first_prompts import first_prompts
from trainer.inits.mpa import filtered_mean, losses, mpa_prompts, through, windows
from trainer.methods.prompted import PromptedClassifier
from trainer.training.images import ImageSet

SIDE, D = 32, 16


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone(tiny_trunk(img_size=SIDE))


def some_batches() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(count, 3, SIDE, SIDE, generator=generator), torch.arange(count) % 2)
        for count in (3, 2)
    ]


def numpys(pixels: Tensor, top: int, left: int) -> Tensor:
    """Return the images through a window, by numpy."""
    spectrum = np.fft.fftshift(np.fft.fft2(pixels.double().numpy()), axes=(-2, -1))
    kept = np.zeros_like(spectrum)
    part = np.s_[..., top : top + 16, left : left + 16]
    kept[part] = spectrum[part]
    return torch.from_numpy(np.fft.ifft2(np.fft.ifftshift(kept, axes=(-2, -1))).real).float()


def test_windows_move_over_the_centred_spectrum():
    masks = windows(SIDE)
    assert len(masks) == 9
    assert len(windows(224)) == 27**2
    assert (masks.sum(dim=(1, 2)) == 256).all()
    pixels = some_batches()[0][0]
    for place, (top, left) in enumerate((t, s) for t in (0, 8, 16) for s in (0, 8, 16)):
        torch.testing.assert_close(
            through(pixels, masks[place]), numpys(pixels, top, left), rtol=0, atol=1e-5
        )


def test_a_windows_loss_is_that_of_all_its_images(backbone: Backbone):
    model = PromptedClassifier(backbone, 2, torch.zeros(3, 2, D), frozen=True)
    pixels = torch.cat([found for found, _ in some_batches()])
    labels = torch.cat([found for _, found in some_batches()])
    with torch.no_grad():
        found = losses(model, some_batches(), windows(SIDE))
        expected = F.cross_entropy(model(numpys(pixels, 8, 16)), labels, reduction="sum")
    torch.testing.assert_close(found[5], expected, rtol=1e-4, atol=1e-4)


def test_prompts_are_weighted_means_and_then_what_each_block_makes_of_them(backbone: Backbone):
    torch.manual_seed(0)
    made = mpa_prompts(backbone, some_batches(), (3, 4), 2)
    torch.manual_seed(0)
    model = PromptedClassifier(backbone, 2, torch.zeros(3, 4, D), frozen=True)
    with torch.no_grad():
        ranked = losses(model, some_batches(), windows(SIDE)).argsort()[:4].tolist()
    pixels, trunk = torch.cat([found for found, _ in some_batches()]), backbone.trunk
    for prompt, place in zip(made[0], ranked, strict=True):
        filtered = numpys(pixels, 8 * (place // 3), 8 * (place % 3))
        tokens = trunk._pos_embed(trunk.patch_embed(filtered))[:, 1:].flatten(0, 1)
        weights = tokens.norm(dim=1) ** 2
        torch.testing.assert_close(prompt, weights @ tokens / weights.sum(), rtol=1e-4, atol=1e-4)
    for block, before, after in zip(trunk.blocks[:-1], made[:-1], made[1:], strict=True):
        torch.testing.assert_close(block(before[None])[0], after, rtol=1e-4, atol=1e-4)


def test_shallow_and_later_prompts_are_some_of_all(backbone: Backbone):
    every, shallow, later = (_seeded(backbone, shape) for shape in ((3, 2), (1, 2), (2, 2)))
    torch.testing.assert_close(shallow, every[:1])
    torch.testing.assert_close(later, every[1:])


def _seeded(backbone: Backbone, shape: tuple[int, int]) -> Tensor:
    torch.manual_seed(1)
    return mpa_prompts(backbone, some_batches(), shape, 2)


def test_a_mean_is_over_the_images_of_all_batches(backbone: Backbone):
    whole = [tuple(map(torch.cat, zip(*some_batches(), strict=True)))]
    mask = windows(SIDE)[4]
    torch.testing.assert_close(
        filtered_mean(backbone, some_batches(), mask), filtered_mean(backbone, whole, mask)
    )


def test_a_recipe_makes_them_of_its_images(backbone: Backbone, tmp_path: Path):
    images = ImageSet(
        load_task("toy", make_toy_folder(tmp_path / "toy", per_class=2)).train,
        backbone.preprocessing,
    )
    recipe = toy_recipe(method="pae", prompt={"num_tokens": 3, "init": "mpa", "init_images": 3})
    one, again = (first_prompts(recipe, backbone, images) for _ in range(2))
    assert one.facts["images"] == 3
    assert one.prompts.shape == (3, 3, D)
    assert torch.equal(one.prompts, again.prompts)


def test_fewer_windows_than_prompts_and_other_blocks_are_refused(backbone: Backbone):
    with pytest.raises(RecipeError, match=r"32 pixels have 9 windows .*num_tokens is 10"):
        mpa_prompts(backbone, some_batches(), (3, 10), 2)
    with pytest.raises(RecipeError, match="mpa on backbone tiny: its blocks are of type EvaBlock"):
        mpa_prompts(tiny_backbone(other_trunk("vit_small_patch16_dinov3")), [], (2, 1), 2)
