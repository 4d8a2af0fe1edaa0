"""From a recipe to the first prompts, and what there is to report of how they were made.

Axis letters: B batch, M layers with prompts, P prompts, D width.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Subset

from adapters.vit.backbone import Backbone
from trainer.errors import RecipeError
from trainer.inits.block_inputs import Collector, feed
from trainer.inits.cluster import KEPT_BYTES, ClusterMeans
from trainer.inits.mpa import mpa_prompts
from trainer.inits.pool import BatchPool, ImagePool, Pool
from trainer.inits.sample import RandomSample
from trainer.inits.uniform import at_uniform_scale, uniform_prompts
from trainer.inits.vipamin import vipamin_prompts
from trainer.methods.table import METHODS
from trainer.recipe import Recipe
from trainer.recipe_parts import PromptRecipe
from trainer.training.images import ImageSet, Item, batches

_IMAGES = 64
"""Images whose tokens are sampled or pooled, unless the recipe says otherwise."""


@dataclass(frozen=True)
class FirstPrompts:
    """The prompts before the first step.

    Attributes:
        prompts: one layer for shallow prompts, one for each block that has deep ones; None
            without prompts.
        facts: images and tokens used, seconds, and per layer what its collector reports.
    """

    prompts: Float[Tensor, "M P D"] | None
    facts: dict[str, object] = field(default_factory=dict)


def first_prompts(recipe: Recipe, backbone: Backbone, images: ImageSet) -> FirstPrompts:
    """Make the first prompts; the recipe's seed decides them.

    Args:
        recipe: names the init and how much it is made from.
        backbone: frozen.
        images: training images, of this task or of the one named by `prompt.init_task`.

    Raises:
        RecipeError: there are fewer patch tokens than prompts, or too few blocks; or the init does
            not work on this backbone.
    """
    torch.manual_seed(recipe.seed)  # of the images' crops, where they are drawn
    if recipe.prompt.init == "uniform":
        return FirstPrompts(_uniform(recipe, backbone))
    if recipe.prompt.init in ("vipamin", "mpa"):
        return _from_images(recipe, backbone, images)
    return _from_tokens(recipe, backbone, images)


def _uniform(recipe: Recipe, backbone: Backbone) -> Float[Tensor, "M P D"]:
    generator = torch.Generator().manual_seed(recipe.seed)
    return uniform_prompts(backbone.spec, prompt_shape(recipe, backbone), generator)


def _from_images(recipe: Recipe, backbone: Backbone, images: ImageSet) -> FirstPrompts:
    """Make prompts by an init that looks at more than the tokens of one layer."""
    shape, prompt = prompt_shape(recipe, backbone), recipe.prompt
    chosen = _choose(recipe, images)
    began = time.monotonic()
    if prompt.init == "mpa":
        classes = 1 + max(sample.label for sample in images.samples)
        found = list(batches(chosen, recipe.optim.batch_size))
        made = mpa_prompts(backbone, found, shape, classes)
    else:
        made = vipamin_prompts(
            backbone,
            _pixels(chosen, recipe.optim.batch_size),
            _source_layers(recipe, backbone),
            _uniform(recipe, backbone),
            match_tokens=prompt.match_tokens,
            orthogonal_share=prompt.orthogonal_share,
        )
    seconds = round(time.monotonic() - began, 2)
    return FirstPrompts(made, {"images": len(chosen), "seconds": seconds})


def prompt_shape(recipe: Recipe, backbone: Backbone) -> tuple[int, int]:
    """Return M, the number of layers that have their own prompts, and P.

    Raises:
        RecipeError: deep prompts begin so late that fewer than two blocks have any.
    """
    first_block, depth = recipe.prompt.first_block, backbone.spec.depth
    if first_block and first_block > depth - 2:
        raise RecipeError(
            f"prompt.first_block is {first_block}, but {backbone.spec.name} has {depth} blocks, "
            f"and two at least must have prompts; choose 0 to {max(0, depth - 2)}"
        )
    is_deep = METHODS[recipe.method].prompts == "deep"
    return depth - first_block if is_deep else 1, recipe.num_prompts


def _from_tokens(recipe: Recipe, backbone: Backbone, images: ImageSet) -> FirstPrompts:
    chosen = _choose(recipe, images)
    patches = backbone.trunk.patch_embed.num_patches
    _check_enough(recipe, len(chosen), patches)
    layers = _source_layers(recipe, backbone)
    make = _collector_maker(recipe, (len(chosen), patches), len(layers))
    collectors = {layer: make(layer) for layer in layers}
    began = time.monotonic()
    feed(
        backbone,
        _pixels(chosen, recipe.optim.batch_size),
        collectors,
        layer0_position=recipe.prompt.layer0_position,
    )
    prompts = torch.stack([collectors[layer].finish() for layer in layers])
    facts: dict[str, object] = {
        "images": len(chosen),
        "tokens_per_layer": len(chosen) * patches,
        "seconds": round(time.monotonic() - began, 2),
        "layers": [collectors[layer].facts() for layer in layers],
    }
    if recipe.prompt.init == "rescaled":
        prompts = at_uniform_scale(prompts, backbone.spec)
    return FirstPrompts(prompts.expand(prompt_shape(recipe, backbone)[0], -1, -1), facts)


def _choose(recipe: Recipe, images: ImageSet) -> Subset[Item]:
    """Return the images to start from, in an order that the seed decides."""
    prompt, total = recipe.prompt, len(images)
    default = total if prompt.init == "kmeans" else _IMAGES
    wanted = prompt.init_images or default
    if prompt.init_proportion is not None:
        wanted = max(1, round(prompt.init_proportion * total))
    order = torch.randperm(total, generator=torch.Generator().manual_seed(recipe.seed))
    return Subset(images, order[:wanted].tolist())


def _pixels(images: Subset[Item], batch_size: int) -> Iterator[Tensor]:
    for pixels, _ in batches(images, batch_size):
        yield pixels


def _source_layers(recipe: Recipe, backbone: Backbone) -> list[int]:
    """Return the blocks whose inputs become prompts; one alone serves all layers (Table S2)."""
    if recipe.prompt.init == "first-layer":
        return [0]
    if recipe.prompt.init == "last-layer":
        return [backbone.spec.depth]
    first_block = recipe.prompt.first_block
    return [first_block + i for i in range(prompt_shape(recipe, backbone)[0])]


def _collector_maker(
    recipe: Recipe, shape: tuple[int, int], num_layers: int
) -> Callable[[int], Collector]:
    prompt, count = recipe.prompt, recipe.num_prompts
    total = shape[0] * shape[1]

    def make(layer: int) -> Collector:
        draw = np.random.default_rng((recipe.seed, layer))
        if prompt.init == "kmeans":
            generator = torch.Generator().manual_seed(recipe.seed)
            leave = prompt.outliers == "leave-out"
            kept = KEPT_BYTES // num_layers
            return ClusterMeans(count, kept, generator, leave_outliers=leave)
        if prompt.init in ("mean", "max"):
            return _pool(prompt, shape, count, draw)
        return RandomSample(total, count, draw, replacement=prompt.replacement)

    return make


def _pool(
    prompt: PromptRecipe, shape: tuple[int, int], count: int, draw: np.random.Generator
) -> Collector:
    pool: Pool = "mean" if prompt.init == "mean" else "max"
    if prompt.pool_over == "image":
        return ImagePool(shape, count, pool, draw)
    return BatchPool(shape[0] * shape[1], count, pool)


def _check_enough(recipe: Recipe, num_images: int, patches: int) -> None:
    if recipe.num_prompts > num_images * patches:
        raise RecipeError(
            f"prompt.num_tokens is {recipe.num_prompts}, but {num_images} images have only "
            f"{num_images * patches} patch tokens to start from; lower it or raise "
            "prompt.init_images"
        )
